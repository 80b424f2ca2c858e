"""Published weights: ``zoo/weights/<name>/`` with weights, options and what was measured."""

import hashlib
import json
import shutil
from pathlib import Path

from chapters.engine.configuration import FREE_ON_RESUME
from zoo import results
from zoo.errors import ZooError

FOLDER = Path(__file__).with_name("weights")
WEIGHTS = "model.weights.h5"
DECISION = "decision.json"  # threshold and sharpness of a verification model; others have none


def publish(run: Path, name: str, folder: Path = FOLDER, file: Path = results.FILE) -> Path:
    """Copy a finished run's weights into the zoo and record its results.

    Raises:
        ZooError: the run has not finished or has no weights.
    """
    if not (run / WEIGHTS).exists():
        raise ZooError(f"{run} holds no {WEIGHTS}; publish the folder of a finished run.")
    rows = results.record(run, name, file)
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    for part in (WEIGHTS, DECISION):
        if (run / part).exists():
            shutil.copyfile(run / part, target / part)
    config = json.loads((run / "config.json").read_text())
    circumstances = json.loads((run / "run.json").read_text())
    card = {
        "name": name,
        "command": rows[0]["command"],
        "sha256": hashlib.sha256((target / WEIGHTS).read_bytes()).hexdigest(),
        "device": circumstances["device"],
        "python": circumstances["python"],
        "versions": circumstances["versions"],
        **json.loads((run / "metrics.json").read_text()),
    }
    # What may change on resume is of the machine, not of the model.
    options = {option: value for option, value in config.items() if option not in FREE_ON_RESUME}
    for part, content in (("config.json", options), ("card.json", card)):
        (target / part).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return target
