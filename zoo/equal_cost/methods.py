"""What is compared at equal cost: learners, and the tasks that all of them see; data only."""

from collections.abc import Iterable
from typing import NamedTuple

from chapters.engine.configuration import flag_of, suggest
from zoo.errors import ZooError

REFERENCE = "MAML"  # what differences are taken to


class Protocol(NamedTuple):
    """Classes and tasks, of which every learner sees as many."""

    title: str
    tasks: int  # that a learner sees in training
    options: dict[str, object]  # of all learners


class Method(NamedTuple):
    """A learner: its script, its presets for 5 and 20 classes, and what differs from them."""

    script: str
    five_way: str
    twenty_way: str
    changes: dict[str, object] = {}


SHARED = {
    "shot": 1, "tasks": 8, "schedule": "cosine", "steps_per_epoch": 1250,
    "validation_episodes": 200, "test_episodes": 600,
}  # fmt: skip
FIVE_WAY = {**SHARED, "way": 5, "query": 5, "columns": "5w1s,5w5s", "test_query": 15}
PROTOCOLS = {
    "omniglot-5way": Protocol("Omniglot, 5-way", 190_000, FIVE_WAY),
    "omniglot-20way": Protocol(
        "Omniglot, 20-way",
        24_000,
        {
            **SHARED,
            "way": 20,
            "query": 2,
            "tasks": 4,
            "steps_per_epoch": 500,
            "columns": "20w1s,20w5s",
            "test_query": 5,
        },
    ),
    # Signs have few pictures: one to learn from and four to ask for, as in the test.
    "emoji-5way": Protocol(
        "Emoji, 5-way",
        95_000,
        {**FIVE_WAY, "data": "emoji", "image_size": 32, "rotations": False, "query": 4},
    ),
}
CH06 = "chapters.ch06_maml.train_omniglot"
CH07 = "chapters.ch07_meta_sgd_reptile.train_omniglot"
CH08 = "chapters.ch08_gradient_agreement.train_omniglot"
# Reptile has no queries: ten items of a class in a task, and an outer rate that falls from 1.
REPTILE = {"tasks": 5, "shot": 10, "schedule": "linear"}
METHODS = {
    "MAML": Method(CH06, "maml_5way", "maml_20way", {"train_split": "train"}),
    "FOMAML": Method(CH06, "fomaml_5way", "fomaml_20way"),
    "ANIL": Method(CH06, "anil_5way", "anil_20way"),
    "CAML": Method(CH06, "caml_5way", "caml_5way"),
    "ADML": Method(CH06, "adml_5way", "adml_5way"),
    "Meta-SGD": Method(CH07, "meta_sgd_5way", "meta_sgd_20way"),
    "Reptile": Method(CH07, "reptile_5way", "reptile_20way", REPTILE),
    "GA-MAML": Method(CH08, "ga_maml_5way", "ga_maml_20way"),
    "prototypical network": Method(
        "chapters.ch03_prototypical.train", "paper_1shot", "paper_1shot"
    ),
}
FEWER_PICTURES = {"Reptile": {"shot": 4, "query": 1}}  # with Emoji, whose classes are small


def words_of(protocol: str, method: str, seed: int, share: float = 1.0) -> list[str]:
    """The words of a training, behind ``python -m``.

    Args:
        protocol: key of ``PROTOCOLS``.
        method: key of ``METHODS``.
        seed: of the training.
        share: of the tasks, and of those of validation and test.
    """
    common, learner = PROTOCOLS[protocol], METHODS[method]
    options = {**common.options, **learner.changes}
    if options.get("data") == "emoji":
        options |= FEWER_PICTURES.get(method, {})
    steps = max(1, round(share * common.tasks / options["tasks"]))
    for name in ("validation_episodes", "test_episodes"):
        options[name] = max(2, round(share * options[name]))
    options |= {"steps": steps, "seed": seed}
    preset = learner.five_way if options["way"] == 5 else learner.twenty_way
    flags = [word for item in options.items() for word in _flag(*item)]
    return [learner.script, "--preset", preset, *flags]


def _flag(name: str, value: object) -> list[str]:
    """``--no-rotations``, ``--way 5``."""
    if isinstance(value, bool):
        return [flag_of(name if value else f"no_{name}")]
    return [flag_of(name), str(value)]


def chosen(names: Iterable[str], known: Iterable[str], what: str) -> list[str]:
    """The names that are asked for, in the order that is known; all of them when none is.

    Raises:
        ZooError: one is unknown.
    """
    names, known = list(names), list(known)
    for name in names:
        if name not in known:
            raise ZooError(
                f"{name!r} is no {what}{suggest(name, known)}; there are {', '.join(known)}."
            )
    return [name for name in known if name in names or not names]
