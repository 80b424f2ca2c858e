"""The page of learners at equal cost: a table and a picture for each protocol."""

import re
from pathlib import Path

import numpy as np

from chapters.engine import files
from chapters.engine.evaluation import interval95_over
from chapters.experiments.options import parse_columns
from zoo.equal_cost.methods import PROTOCOLS, REFERENCE
from zoo.equal_cost.records import FOLDER, Known, Training, path_of, read
from zoo.records.tables import line

PAGE = FOLDER / "README.md"
BLOCK = re.compile(r"(<!-- equal ([\w-]+)[^>]*-->\n)(.*?)(<!-- end -->)", re.DOTALL)
HONEST = ("support", "stored")  # batch norm that lets no query know of another
WAITING = "Not measured yet.\n"


def generate(page: str, known: dict[str, Known]) -> str:
    """The page with its tables written anew; protocol -> trainings."""
    return BLOCK.sub(lambda match: match[1] + table(match[2], known[match[2]]) + match[4], page)


def table(protocol: str, known: Known) -> str:
    """Markdown: accuracy in % with 95 % intervals, and differences on the same tasks."""
    if not known:
        return WAITING
    columns = parse_columns(PROTOCOLS[protocol].options["columns"])
    titles = [f"{column.way}-way {column.shot}-shot" for column in columns]
    asked = [
        (str(column), regimes) for column in columns for regimes in (HONEST, ("transductive",))
    ]
    head = [
        "",
        *(f"{title}, {kind} (%)" for title in titles for kind in ("honest", "transductive")),
    ]
    head += [f"{title}, minus {REFERENCE}" for title in titles]
    head += ["seeds", "tasks", "minutes each"]
    lines = [head, ["---"] * len(head)]
    for method, by_seed in known.items():
        cells = [_cell(values_of(by_seed, *one)) for one in asked]
        apart = [_cell(difference(known, method, str(column)), "+") for column in columns]
        first = next(iter(by_seed.values()))
        minutes = np.mean([one.seconds for one in by_seed.values()]) / 60
        lines.append(
            [method, *cells, *apart, str(len(by_seed)), f"{first.tasks:,}", f"{minutes:.0f}"]
        )
    return "".join(f"{line(cells)}\n" for cells in lines)


def values_of(by_seed: dict[int, Training], column: str, regimes) -> np.ndarray | None:
    """Accuracy [seed, task] of a column in one of these regimes; None where it was not asked."""
    for regime in regimes:
        found = [one.answers.get(f"{column} {regime}") for one in by_seed.values()]
        if all(values is not None for values in found):
            return np.stack(found)
    return None


def difference(known: Known, method: str, column: str) -> np.ndarray | None:
    """Honest accuracy minus that of ``REFERENCE``, seed by seed and task by task [seed, task]."""
    if method == REFERENCE or REFERENCE not in known:
        return None
    seeds = [seed for seed in known[method] if seed in known[REFERENCE]]
    if not seeds:
        return None
    own, other = (
        values_of({seed: known[name][seed] for seed in seeds}, column, HONEST)
        for name in (method, REFERENCE)
    )
    return own - other


def _cell(values: np.ndarray | None, sign: str = "") -> str:
    """``97.12 ± 0.31``; over seeds by Student's t, of one seed over its tasks."""
    if values is None:
        return "-"
    return f"{100 * values.mean():{sign}.2f} ± {100 * interval95_over(values):.2f}"


def draw(known: Known):
    """Accuracy on validation classes against tasks seen, and against minutes; means over seeds."""
    from chapters.engine.figures import WIDTH, legend, plt, style

    figure, axes = plt.subplots(
        1, 2, figsize=(WIDTH, 3.8), sharey=True, squeeze=False, layout="constrained"
    )
    for method, by_seed in known.items():
        courses = [one.course for one in by_seed.values()]
        accuracy = 100 * np.mean([course["accuracy"] for course in courses], axis=0)
        minutes = np.mean([course["seconds"] for course in courses], axis=0) / 60
        for axis, x in zip(axes[0], (courses[0]["tasks"] / 1000, minutes), strict=True):
            axis.plot(x, accuracy, label=method, linewidth=1.3, **style(method))
    axes[0, 0].set(xlabel="tasks seen, thousands", ylabel="accuracy on validation classes (%)")
    axes[0, 1].set(xlabel="minutes of training and validation")
    legend(figure)
    return figure


def write(protocols: list[str]) -> None:
    """Write the page, and the pictures of these protocols."""
    known = {name: read(path_of(name)) for name in PROTOCOLS}
    files.write_text(PAGE, generate(PAGE.read_text(encoding="utf-8"), known))
    for name in protocols:
        if known[name]:
            files.write_figure(picture_of(name), draw(known[name]))


def picture_of(protocol: str, folder: Path = FOLDER) -> Path:
    """The picture of a protocol."""
    return folder / f"{protocol}.png"
