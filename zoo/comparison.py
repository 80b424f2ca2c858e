"""The tables of ``COMPARISON.md``: metric learners beside each other, on one protocol.

python -m zoo.comparison     # a few minutes on two cores: times every learner again

Figures come from ``results.csv``. Times are taken here, of all learners in turns in one run, so
their ratios mean something on every machine.
"""

import re
from pathlib import Path
from typing import NamedTuple

from chapters.engine import files, script
from chapters.engine.configuration import Parser
from chapters.experiments.options import Column
from zoo import catalogue
from zoo.records import cards, results, safety, store, wording
from zoo.records.tables import line

PAGE = Path(__file__).with_name("COMPARISON.md")
BLOCK = re.compile(r"(<!-- comparison (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
COLUMNS = ((5, 1), (20, 1), (5, 5), (20, 5))  # way, shot
EPISODE = {"way": 20, "shot": 1, "query": 5}  # of a training step that is timed
TEST = {"way": 5, "shot": 1, "query": 15}  # of a test that is timed
PICTURES = EPISODE["way"] * (EPISODE["shot"] + EPISODE["query"])
MS_OF_A_MINUTE = 60_000


class Row(NamedTuple):
    """A line: what it is called, and the models whose figures it shows."""

    label: str
    one: str  # name in ``results.csv`` of the 1-shot columns
    five: str = ""  # of the 5-shot columns, where that is another
    method: str = ""  # of a baseline that was measured beside ``one``


OMNIGLOT = "prototypical-omniglot-1shot"
EMOJI = "prototypical-emoji"
OF_BOTH = (
    Row("prototypical network, of both sets", "prototypical-emoji-omniglot"),
    Row("matching network, of both sets", "matching-emoji-omniglot"),
)
ROWS = {
    "omniglot": (
        Row("pixels", OMNIGLOT, method="pixels, nearest neighbour"),
        Row("untrained encoder", OMNIGLOT, method="untrained encoder"),
        Row("classifier, features by cosine", "classifier-omniglot"),
        Row("siamese network", "siamese-omniglot"),
        Row("prototypical network", OMNIGLOT),
        Row("Gaussian prototypical network", "gaussian-omniglot"),
        Row("semi-supervised, a tenth of the labels", "semi-prototypical-omniglot-masked"),
        Row("relation network", "relation-omniglot-20way-1shot"),
        Row("matching network, bare cosine", "matching-omniglot-cosine"),
        Row("matching network", "matching-omniglot"),
        Row("matching network, full context", "matching-omniglot-context"),
        *OF_BOTH,
    ),
    "emoji": (
        Row("pixels", EMOJI, method="pixels, nearest neighbour"),
        Row("untrained encoder", EMOJI, method="untrained encoder"),
        Row("classifier, features by cosine", "classifier-emoji"),
        Row("prototypical network", EMOJI),
        Row("Gaussian prototypical network", "gaussian-emoji"),
        Row("semi-supervised, two fifths of the labels", "semi-prototypical-emoji"),
        Row("relation network", "relation-emoji"),
        Row("matching network", "matching-emoji"),
        Row("matching network, full context", "matching-emoji-context"),
        *OF_BOTH,
    ),
}
HEAD = [
    "",
    *(f"{way}-way {shot}-shot (%)" for way, shot in COLUMNS),
    "parameters",
    "training, min",
    "step, ms",
    "test, ms",
]


def table(data: str, rows: list[dict[str, str]], times: dict[str, tuple[float, float]]) -> str:
    """Markdown of one set of data; models that were not measured have dashes.

    Args:
        data: key of ``ROWS``.
        rows: of ``results.csv``.
        times: model -> milliseconds of a training step and of a test episode.
    """
    lines = [HEAD, ["---"] * len(HEAD)]
    for row in ROWS[data]:
        cells = [_figure(row, data, way, shot, rows) for way, shot in COLUMNS]
        lines.append([row.label, *cells, *_cost(row, rows, times)])
    return "".join(f"{line(cells)}\n" for cells in lines)


def _figure(row: Row, data: str, way: int, shot: int, rows: list[dict[str, str]]) -> str:
    """An honest figure with its interval; of a model of several sets, that on this one."""
    name = row.five if shot == 5 and row.five else row.one
    own = [other for other in rows if other["name"] == name]
    method = row.method or _method(name, own)
    found = [
        other
        for other in own
        if other["method"] == method
        and (other["way"], other["shot"]) == (str(way), str(shot))
        and other["measure"] == "accuracy"
        and other["batch_norm"] == "stored"
        and other["label"] in (Column(way, shot).label, Column(way, shot, data).label)
    ]
    return wording.cell(found[0]) if found else "-"


def _method(name: str, own: list[dict[str, str]]) -> str:
    """What a model is called in its rows: by its card, or as in the last row without one."""
    folder = store.FOLDER / name
    if (folder / "card.json").exists():
        return cards.read(folder)["method"]
    return own[-1]["method"] if own else ""


def _cost(row: Row, rows: list[dict[str, str]], times) -> list[str]:
    """Parameters, minutes of training, milliseconds of a step and of a test; dashes for pixels."""
    if row.method or row.one not in catalogue.list_models():
        return ["-"] * 4
    card = cards.read(store.FOLDER / row.one)
    parameters = f"{card['parameters']:,}"
    if row.one not in times:
        return [parameters, "-", "-", "-"]
    step, test = times[row.one]
    config = safety.read_json(store.FOLDER / row.one / store.CONFIG)
    # minutes = steps * pictures of a step * minutes of a picture in the step that is timed
    minutes = card["steps"] * pictures_of_step(config) * step / PICTURES / MS_OF_A_MINUTE
    milliseconds = [f"{x:.0f}" if x >= 10 else f"{x:.1f}" for x in (step, test)]
    return [parameters, f"{minutes:.0f}", *milliseconds]


def pictures_of_step(config: dict) -> int:
    """Pictures that pass the encoder in a training step of these options."""
    if "batch" in config:  # minibatches instead of episodes
        return config["batch"]
    pictures = config["way"] * (config["shot"] + config["query"])
    if config.get("method") in ("soft", "cluster", "masked"):  # trained with unlabelled items
        pictures += config["unlabelled"] * (config["way"] + config["distractors"])
    return config["tasks"] * pictures


def known_times(page: str) -> dict[str, tuple[float, float]]:
    """Times as the page has them: model -> milliseconds of a step and of a test."""
    found = {}
    for _, data, text, _ in BLOCK.findall(page):
        cells = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()
        ]
        by_label = {line[0]: line[-2:] for line in cells if len(line) == len(HEAD)}
        for row in ROWS[data]:
            step, test = by_label.get(row.label, ("-", "-"))
            if step != "-" and not row.method:
                found[row.one] = (float(step), float(test))
    return found


def generate(page: str, rows: list[dict[str, str]], times=None) -> str:
    """A page with its tables written anew; with the times that it has where no others are given."""
    times = known_times(page) if times is None else times
    return BLOCK.sub(lambda match: match[1] + table(match[2], rows, times) + match[4], page)


def measure(data: str, repeats: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of a training step and of a test episode of every published learner."""
    import numpy as np

    from chapters.engine.timing import time_in_turns
    from zoo import loading

    published = catalogue.list_models()
    names = [row.one for row in ROWS[data] if row.one in published and not row.method]
    learners = {name: loading.load(name).learner for name in names}
    functions = {}
    for name, learner in learners.items():
        functions[f"step {name}"] = _step(learner)
        functions[f"test {name}"] = _test(learner)
    seconds = time_in_turns(functions, repeats)
    median = {name: 1000 * float(np.median(values)) for name, values in seconds.items()}
    return {name: (median[f"step {name}"], median[f"test {name}"]) for name in names}


def _episode(learner, way: int, shot: int, query: int):
    """Random pictures; what they show takes no time."""
    import numpy as np

    rng = np.random.default_rng(0)

    def pictures(count):
        return rng.random([1, count, *learner.item_shape]).astype(np.float32)

    support_y = np.repeat(np.arange(way, dtype=np.int32), shot)[None]
    query_y = np.repeat(np.arange(way, dtype=np.int32), query)[None]
    inputs = {
        "support_x": pictures(way * shot), "support_y": support_y,
        "query_x": pictures(way * query),
    }  # fmt: skip
    return inputs, query_y


def _step(learner):
    """Forward and backward pass of a training episode, by cross-entropy for all alike."""
    import tensorflow as tf

    inputs, query_y = _episode(learner, **EPISODE)

    @tf.function(autograph=False)
    def gradient():
        with tf.GradientTape() as tape:
            logits = learner(inputs, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(query_y, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, learner.trainable_variables)
        return tf.add_n([tf.reduce_sum(g) for g in gradients if g is not None])

    return lambda: gradient().numpy()


def _test(learner):
    """Answers to a test episode."""
    import tensorflow as tf

    inputs, _ = _episode(learner, **TEST)

    @tf.function(autograph=False)
    def answer():
        return learner(inputs, training=False)

    return lambda: answer().numpy()


def main(argv: list[str] | None = None) -> None:
    """Time all published learners and write the page."""
    from chapters.engine.timing import add_repeats

    parser = Parser(prog="python -m zoo.comparison", description=__doc__, allow_abbrev=False)
    add_repeats(parser, default=10)
    repeats = parser.parse_args(argv).repeats
    script.prepare(0)
    times = {}
    for data in ROWS:
        times |= measure(data, repeats)
    with store.lock():
        page = PAGE.read_text(encoding="utf-8")
        written = generate(page, results.read(), times)
        files.write_text(PAGE, written)
    print(written)


if __name__ == "__main__":
    script.run(main)
