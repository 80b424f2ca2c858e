"""None of these: a query that is farther from every class than nearly all that belongs to one.

How far is too far, the support set says itself: every example is left out in turn and its distance
from the others is taken. An example that is left out sees one of its class fewer than a query does,
so it is a little farther off; how much rarer a query is beyond a rank among them, validation tasks
have shown, and the card tells. Ranks have no unit, so this holds for data of any kind.
"""

from typing import NamedTuple

import numpy as np

from chapters.experiments.options import parse_columns
from zoo.classifying import respond_in_parts
from zoo.errors import ZooError
from zoo.records.cards import SHARES

MOST = 200  # examples that are left out


class Limit(NamedTuple):
    """The largest distance of what belongs."""

    distance: float
    source: str  # where it is from, in words


def left_out(learner, items, labels) -> np.ndarray:
    """Distance of each item from the nearest class that the others show, float32 [item].

    NaN for the only item of a class, and for those that are not tried when there are many.

    Args:
        learner: few-shot learner.
        items: of ``classifying.embed`` [item, ...].
        labels: [item].
    """
    found = np.full(len(labels), np.nan, np.float32)
    turns = np.flatnonzero(np.bincount(labels)[labels] > 1)  # [task]
    if len(turns) > MOST:
        turns = turns[np.linspace(0, len(turns) - 1, MOST).astype(int)]
    if len(turns):
        everything = np.arange(len(labels))
        support = np.stack([np.delete(everything, turn) for turn in turns])  # [task, item - 1]
        answers = respond_in_parts(learner, items, support, labels[support], turns[:, None])
        found[turns] = answers.distance[:, 0].min(axis=-1)
    return found


def share_beyond(distance, others) -> np.ndarray:
    """Which share of other distances is larger, between two of them by interpolation: [query].

    Args:
        distance: [query].
        others: [other], two or more.
    """
    others, count = np.sort(others), len(others)
    rank = np.interp(distance, others, np.arange(1, count + 1), left=0.5, right=count + 0.5)
    return 1 - rank / (count + 1)


def distance_at(share: float, others) -> float | None:
    """The distance beyond which a share of others lies; None where they are too few to tell."""
    rank = (1 - share) * (len(others) + 1)
    if rank > len(others):
        return None
    return float(np.interp(rank, np.arange(1, len(others) + 1), np.sort(others)))


def limit(card: dict, labels, distances, share: float) -> Limit:
    """The distance beyond which a share of what belongs is refused.

    Args:
        card: of the model.
        labels: of the support set [item].
        distances: of ``left_out`` [item].
        share: such as 0.05.

    Raises:
        ZooError: a share that is none, or examples and card that do not tell.
    """
    if not 0 < share < 1:
        raise ZooError(f"--reject is {share:g}; it is a share between 0 and 1, such as 0.05.")
    shown = np.bincount(labels)
    size = len(shown), int(np.median(shown[shown > 0]))  # way, shot
    known = card.get("calibration", {})
    others = distances[~np.isnan(distances)]
    level = _at(known.get("levels", {}), *size, share)
    found = distance_at(share if level is None else level, others)
    if found is not None:
        return Limit(found, f"{len(others)} examples, each left out in turn")
    found = _at(known.get("limits", {}), *size, share)
    if found is None:
        raise ZooError(
            f"{len(others)} examples that could be left out are too few to refuse {share:.1%} by "
            f"them; give about {int(np.ceil(1 / share))}, two of a class or more, or a larger "
            "share."
        )
    return Limit(found, f"classes that the model was validated on, {size[1]} example(s) of each")


def _at(table: dict[str, list[float]], way: int, shot: int, share: float) -> float | None:
    """What a table of the card says of a share, in the tasks that are nearest in way and below in
    shot; None where it has none.
    """
    tasks = [(parse_columns(name)[0], row) for name, row in table.items()]
    below = [task for task in tasks if task[0].shot <= shot]
    if not below:
        return None

    def apart(task) -> tuple:
        return shot - task[0].shot, abs(np.log(task[0].way / way))

    return float(np.interp(share, SHARES, min(below, key=apart)[1]))
