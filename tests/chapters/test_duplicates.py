"""What chapters repeat on purpose, so that each can be read on its own, is the same in all."""

from pathlib import Path

import pytest

CHAPTERS = Path(__file__).parents[2] / "chapters"
COMPARING = ("ch02_siamese", "ch03_prototypical", "ch04_relation_matching")
ADAPTING = ("ch06_maml", "ch07_meta_sgd_reptile", "ch08_gradient_agreement")
FRONTIERS = "ch09_frontiers"
REPEATED = {
    "encoder.py": (*COMPARING, FRONTIERS),
    "networks.py": (*ADAPTING, FRONTIERS),
    "losses.py": (*ADAPTING, FRONTIERS),
    "models.py": ("ch03_prototypical", FRONTIERS),
    "maml.py": ("ch06_maml", FRONTIERS),
    "meta_sgd.py": ("ch07_meta_sgd_reptile", FRONTIERS),
}


@pytest.mark.parametrize("name", REPEATED)
def test_copies_are_equal(name):
    first, *others = (CHAPTERS / chapter / name for chapter in REPEATED[name])
    for other in others:
        assert other.read_bytes() == first.read_bytes(), f"{other} differs from {first}"
