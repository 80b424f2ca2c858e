"""What chapters repeat on purpose, so that each can be read on its own, is the same in all."""

from pathlib import Path

import pytest

CHAPTERS = Path(__file__).parents[2] / "chapters"
REPEATED = {
    "encoder.py": ("ch02_siamese", "ch03_prototypical", "ch04_relation_matching"),
    "networks.py": ("ch06_maml", "ch07_meta_sgd_reptile", "ch08_gradient_agreement"),
    "losses.py": ("ch06_maml", "ch07_meta_sgd_reptile", "ch08_gradient_agreement"),
}


@pytest.mark.parametrize("name", REPEATED)
def test_copies_are_equal(name):
    first, *others = (CHAPTERS / chapter / name for chapter in REPEATED[name])
    for other in others:
        assert other.read_bytes() == first.read_bytes(), f"{other} differs from {first}"
