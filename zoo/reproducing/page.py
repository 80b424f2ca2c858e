"""The report of a reproduction: one page of HTML that holds its pictures, and can be kept."""

import base64
import html
import io
from pathlib import Path

import matplotlib.pyplot as plt

from chapters.engine import figures, files
from zoo.records import safety, wording
from zoo.reproducing.running import Outcome
from zoo.reproducing.speed import read_log

STYLE = (
    "body { font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }"
    "table { border-collapse: collapse } td, th { padding: .2em .8em; text-align: left;"
    " border-bottom: 1px solid #ddd } .differs { background: #fdd } img { max-width: 100% }"
)


def write(path: Path, outcomes: list[Outcome], share: float) -> None:
    """Write the page.

    Args:
        path: of the file.
        outcomes: in the order of the page.
        share: of the training and the tests.
    """
    title = "The figures of the zoo, measured again"
    what = "Mean ± 95 % interval. Figures agree where their intervals meet."
    if share < 1:
        what = f"{share:.3g} of the recorded training and tests: figures are not judged."
    parts = [
        f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{STYLE}</style>",
        f"<h1>{title}</h1><p>{what}</p>",
        _summary(outcomes, share),
        *(_section(outcome, share) for outcome in outcomes),
    ]
    files.write_text(path, "\n".join(parts) + "\n")


def verdict(outcome: Outcome, share: float) -> str:
    """What became of a job, in a few words."""
    if outcome.code:
        return f"failed with exit code {outcome.code}"
    if share < 1:
        return "ran"
    if outcome.agrees:
        return "agrees"
    return f"{len(outcome.pairs) - outcome.agreeing} of {len(outcome.pairs)} figures differ"


def _summary(outcomes: list[Outcome], share: float) -> str:
    rows = []
    for outcome in outcomes:
        name = html.escape(outcome.job.name)
        cells = outcome.headline.cells() if outcome.pairs else ("", "")
        title = outcome.headline.title if outcome.pairs else ""
        texts = [title, *cells, verdict(outcome, share), wording.duration(outcome.seconds)]
        link = f'<a href="#{name}">{name}</a>'
        rows.append(_row([link, *map(html.escape, texts)], share == 1 and not outcome.agrees))
    head = _row(["name", "figure", "recorded", "measured again", "", "training"], tag="th")
    return f"<table>{head}{''.join(rows)}</table>"


def _section(outcome: Outcome, share: float) -> str:
    name, words = map(html.escape, (outcome.job.name, " ".join(outcome.job.words)))
    rows = [
        _row(map(html.escape, (pair.title, *pair.cells())), share == 1 and not pair.agrees)
        for pair in outcome.pairs
    ]
    rows.insert(0, _row(["figure", "recorded", "measured again"], tag="th"))
    table = f"<table>{''.join(rows)}</table>" if outcome.pairs else ""
    where = html.escape(_machine(outcome))
    head = f'<h2 id="{name}">{name}</h2><p><code>python -m {words}</code><br>{where}</p>'
    return f"{head}{table}{_curves(outcome)}"


def _machine(outcome: Outcome) -> str:
    """What a run ran on and with; empty where it did not begin."""
    if not (outcome.folder / "run.json").is_file():
        return ""
    found = safety.read_json(outcome.folder / "run.json")
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return f"{found['device']}; Python {found['python']}, {versions}"


def _row(cells, differs: bool = False, tag: str = "td") -> str:
    marked = ' class="differs"' if differs else ""
    return f"<tr{marked}>{''.join(f'<{tag}>{cell}</{tag}>' for cell in cells)}</tr>"


def _curves(outcome: Outcome) -> str:
    """The course of the training, of the first one where there are several."""
    logs = sorted(outcome.folder.rglob("log.csv"), key=lambda path: (len(path.parts), path))
    history = read_log(logs[0]) if logs else []
    if not history:
        return ""
    drawn, figure = io.BytesIO(), courses(history)
    figure.savefig(drawn, format="png", dpi=80)
    plt.close(figure)
    picture = base64.b64encode(drawn.getvalue()).decode()
    return f'<p><img alt="course of the training" src="data:image/png;base64,{picture}"></p>'


def courses(history: list[dict[str, float]]):
    """Every metric of a log against the step; training and validation of one share a panel."""
    metrics = [name for name in history[0] if name not in ("epoch", "step", "seconds")]
    names = list(dict.fromkeys(metric.removeprefix("val_") for metric in metrics))
    size = figures.WIDTH, 2.8 * -(-len(names) // 2)
    figure, axes = plt.subplots(
        -(-len(names) // 2), 2, figsize=size, layout="constrained", squeeze=False
    )
    for axis, name in zip(axes.flat, names, strict=False):
        if name in metrics:
            figures.course(axis, history, name, "training", **figures.TRAINING)
        if f"val_{name}" in metrics:
            style = {"above": False, **figures.HELD_OUT}
            figures.course(axis, history, f"val_{name}", "validation", **style)
        axis.set_ylabel(name)
    for axis in axes.flat[len(names) :]:
        axis.axis("off")
    figures.legend(figure)
    return figure
