"""The table of ``YOUR_DATA.md``: how well models tell what belongs to none of the classes.

python -m zoo.unknown_table [NAME ...]     # all of them: a few minutes on two cores

Tasks of five test classes, with as many queries of five others. What stands beside is the share of
them that is taken for one of the classes when 5 % of what belongs is refused, and the share of what
belongs that was refused in fact.
"""

from pathlib import Path

import numpy as np

from chapters.engine import script
from chapters.engine.configuration import Parser
from chapters.engine.evaluation import interval95
from zoo import calibrating, catalogue, loading, rejecting
from zoo.calibrating import Classes, Tasks, answers
from zoo.classifying import embeds
from zoo.errors import ZooError
from zoo.loaded import Loaded
from zoo.records.tables import Table

WAY, SHOTS, QUERY, REFUSED = 5, (1, 5), 5, 0.05
TASKS = {True: 200, False: 20}  # for learners that embed and others
ADAPTED = "maml-omniglot-5way"
PAGE = Path(__file__).with_name("YOUR_DATA.md")
TABLE = Table(
    PAGE,
    "unknown",
    [
        "",
        *(
            f"{head}, {shot}-shot"
            for shot in SHOTS
            for head in ("AUROC", "accepted (%)", "refused (%)")
        ),
    ],
)


def measure(name: str) -> list[str]:
    """A line of the table, with 95 % intervals over tasks.

    Raises:
        ZooError: a model that is not tested on classes of a set that is known here.
    """
    loaded = loading.load(name)
    data = loaded.kind.data(loaded) if hasattr(loaded.kind, "data") else None
    if data is None or "test" not in data.splits:
        raise ZooError(f"{name} has no test classes here of which five could be strangers.")
    test = calibrating.classes(loaded, data, "test")
    return [f"`{name}`", *(cell for shot in SHOTS for cell in _cells(loaded, test, shot))]


def _cells(loaded: Loaded, held_out: Classes, shot: int) -> list[str]:
    """Area under the curve, strangers accepted and members refused, with a number of examples."""
    count = TASKS[embeds(loaded.learner)]
    tasks = calibrating.draw(held_out.members, WAY, shot, QUERY, count, others=WAY)
    if tasks is None:
        raise ZooError(f"{loaded.name} is tested on too few classes of {shot + 1} items.")
    members = answers(loaded, held_out, tasks, tasks.query).distance.min(axis=-1)
    others = answers(loaded, held_out, tasks, tasks.unknown).distance.min(axis=-1)
    areas = [area(inside, outside) for inside, outside in zip(members, others, strict=True)]
    cells = [_cell(np.array(areas), 1, 3)]
    try:
        limits = _limits(loaded, held_out, tasks)[:, None]  # [task, 1]
    except ZooError:  # one example of a class, and no classes that were kept for validation
        return [*cells, "", ""]
    shares = (others <= limits).mean(axis=1), (members > limits).mean(axis=1)  # [task] each
    return [*cells, *(_cell(share, 100, 1) for share in shares)]


def _cell(values: np.ndarray, factor: float, digits: int) -> str:
    mean, interval = factor * values.mean(), factor * interval95(values)
    return f"{mean:.{digits}f} ± {interval:.{digits}f}"


def area(inside, outside) -> float:
    """Area under the curve: how often a stranger is farther away than a member, ties half."""
    apart = np.sign(outside[:, None] - inside[None])  # [stranger, member]
    return float((1 + apart).mean() / 2)


def _limits(loaded: Loaded, held_out: Classes, tasks: Tasks) -> np.ndarray:
    """As ``predict`` finds them, from the support set of each task: [task]."""
    found = []
    for support, labels in zip(tasks.support, tasks.support_y, strict=True):
        distances = rejecting.left_out(loaded.learner, held_out.items[support], labels)
        found.append(rejecting.limit(loaded.card, labels, distances, REFUSED).distance)
    return np.array(found)


def names() -> list[str]:
    """Models of pictures that compare, and the first that is adapted by gradients."""
    found = []
    for name in catalogue.list_models():
        if catalogue.published(name).model.items == "image":
            learner = loading.load(name).learner
            if embeds(learner) or name == ADAPTED:
                found.append(name)
    return found


def main(argv: list[str] | None = None) -> None:
    """Measure the named models, or all, and write the page after each."""
    parser = Parser(prog="python -m zoo.unknown_table", description=__doc__, allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help="models; all when none is named")
    asked = parser.parse_args(argv).names
    for name in asked:  # before any is measured
        catalogue.published(name)
    TABLE.measure(asked or names(), measure)


if __name__ == "__main__":
    script.run(main)
