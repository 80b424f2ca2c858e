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
    "policy_gradient.py": ("ch06_maml", "ch07_meta_sgd_reptile"),
    "trust_region.py": ("ch06_maml", "ch07_meta_sgd_reptile"),
    "meta_sgd.py": ("ch07_meta_sgd_reptile", FRONTIERS),
}


def text(name: str, chapter: str) -> str:
    """A file without the name of its chapter, which its imports have."""
    return (CHAPTERS / chapter / name).read_text(encoding="utf-8").replace(chapter, "chapter")


@pytest.mark.parametrize("name", REPEATED)
def test_copies_are_equal(name):
    first, *others = REPEATED[name]
    for other in others:
        assert text(name, other) == text(name, first), f"{name} of {other} is not {first}'s"
