"""Where published models lie: ``zoo/weights/<name>/`` with these files."""

from pathlib import Path

FOLDER = Path(__file__).with_name("weights")
WEIGHTS = "model.weights.h5"
DECISION = "decision.json"  # threshold and sharpness of a verification model; others have none
CONFIG, CARD = "config.json", "card.json"
