"""Which published model suits a folder? Each is tried on it, and nothing is trained.

A file of every class is left out and named by means of the others, then another one, until each has
been left out, or ``ROUNDS`` of a class. This is done with 1, 5 and 20 examples of a class, as far
as the folder has them. All models name the same files by means of the same examples.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chapters.engine import files
from chapters.engine.evaluation import interval95
from datasets.readers.folder import SUFFIXES, class_files
from zoo import baselines, catalogue, kinds, loading, prediction
from zoo.classifying import embed, respond_in_parts
from zoo.errors import ZooError
from zoo.reading import labelled, read_files

SHOTS = (1, 5, 20)  # examples of a class, at most
ROUNDS = 20  # files of a class that are left out, at most
QUERIES = 400  # of a round, at most


class Round(NamedTuple):
    """What is left out at once, and by means of what it is named; positions of files."""

    queries: np.ndarray  # [query], of different classes
    support: dict[int, np.ndarray]  # shot -> [support]


class Tried(NamedTuple):
    """A model on a folder."""

    name: str
    answers: dict[int, np.ndarray]  # shot -> class that each file left out was given [file]
    hits: dict[int, np.ndarray]  # shot -> whether it was right, 0 or 1 [file]


def share(hits: np.ndarray) -> dict[str, float]:
    """Share of files that were named rightly, and its 95 % interval (Wilson's): [file] of 0 and 1.

    The usual half width is 0 where all are right, however few they are.
    """
    from scipy import stats

    low, high = stats.binomtest(int(hits.sum()), len(hits)).proportion_ci(0.95, "wilson")
    return {"accuracy": float(hits.mean()), "low": float(low), "high": float(high)}


def _share_text(row: dict[str, float]) -> str:
    return f"{100 * row['accuracy']:.1f} ({100 * row['low']:.0f} to {100 * row['high']:.0f})"


class Choice(NamedTuple):
    """What was found; ``tried`` begins with the best by most examples."""

    folder: str
    classes: list[str]
    takes: str  # "pictures" or "sounds"
    shots: list[int]
    truth: np.ndarray  # class of each file left out [file]
    tried: list[Tried]
    baseline: str  # name of the one that is no model
    encoder: str  # of one that is tried frozen beside the models; empty for none
    too_small: list[str]  # models that tell fewer classes apart
    invert: bool

    @property
    def best(self) -> str:
        """The published model that did best by most examples."""
        return next(one.name for one in self.tried if one.name != self.baseline)

    @property
    def command(self) -> str:
        """How the best model names new files."""
        invert = " --invert" if self.invert else ""
        if self.best == self.encoder:
            train = "python -m chapters.ch03_prototypical.train"
            return f"{train} --data {self.folder} --encoder {self.encoder} --frozen"
        return f"python -m zoo predict {self.best} --support {self.folder} --query FILE{invert}"

    def rows(self) -> list[dict]:
        """Every model with every number of examples; shares, with 95 % intervals."""
        top = self.tried[0]
        return [
            {
                "model": one.name,
                "shot": shot,
                **share(one.hits[shot]),
                "behind": float((top.hits[shot] - one.hits[shot]).mean()),
                "behind_interval": interval95(top.hits[shot] - one.hits[shot]),
                "files": len(self.truth),
            }
            for one in self.tried
            for shot in self.shots
        ]

    def text(self) -> str:
        """The table, and what to do next."""
        rows = {(row["model"], row["shot"]): row for row in self.rows()}
        width = max(len(one.name) for one in self.tried) + 2
        heads = [f"{shot} each" for shot in self.shots] + ["behind the best"]
        lines = [
            f"{len(self.classes)} classes; {len(self.truth)} {self.takes} were left out and named.",
            "Named rightly, in %, with 95 % interval, given so many examples of each class:\n",
            " " * width + "".join(head.rjust(20) for head in heads),
        ]
        for one in self.tried:
            cells = [_share_text(rows[one.name, shot]) for shot in self.shots]
            if one is not self.tried[0]:
                last = rows[one.name, self.shots[-1]]
                cells.append(f"{100 * last['behind']:.1f} ± {100 * last['behind_interval']:.1f}")
            lines.append(one.name.ljust(width) + "".join(cell.rjust(20) for cell in cells))
        if self.too_small:
            lines.append(f"\nThese tell fewer classes apart: {', '.join(self.too_small)}.")
        if self.tried[0].name == self.baseline:
            lines.append(f"\nNo model is better than {self.baseline}, which learned nothing.")
        lines += [
            f"\nWhat to expect of the best: {_share_text(self.honest())} %. The best of many was "
            "lucky too, so for this\nfigure every file is named by the model that is best on all "
            "others.\n",
            f"Next: {self.command}",
        ]
        return "\n".join(lines)

    def honest(self, shot: int = 0) -> dict[str, float]:
        """``share`` of whatever is chosen in this way, with a number of examples, or the most.

        The figure of the best of many is too good, since luck chose it too. Here every file is
        named by the model that did best on all others.
        """
        hits = np.stack([one.hits[shot or self.shots[-1]] for one in self.tried])  # [model, file]
        others = hits.sum(axis=1, keepdims=True) - hits  # [model, file]
        # of equals the first, which is the best on all files
        chosen = np.take_along_axis(hits, others.argmax(axis=0)[None], axis=0)[0]  # [file]
        return share(chosen)


def choose(
    folder: str | Path,
    invert: bool = False,
    plot: str | Path = "",
    pattern: str = "*",
    encoder: str = "",
    encoder_weights: str = "random",
    progress: Callable[[str], Any] = lambda line: None,
) -> Choice:
    """Try every published model on a folder of class folders.

    Args:
        folder: one folder per class, each with pictures, or each with sounds.
        invert: pictures are light on dark.
        plot: draw into this file what the best model takes for what.
        pattern: of the names of models, such as ``*omniglot*``.
        encoder, encoder_weights: a network that is tried as it is, by nearest class means; as
            options of ``chapters.ch03_prototypical.train``.
        progress: called with a line after every model.

    Raises:
        ZooError, ConfigError, DataError: no such folder, both kinds of files, fewer than two
            classes, no class with two files, no model that takes them, a file that is broken, no
            such encoder.
    """
    plot = prediction.plot_file(plot)
    kind = kind_of(folder)
    if invert and kind == "sound":
        raise ZooError(f"--invert is for pictures; {folder} holds sounds.")
    if encoder and kind == "sound":
        raise ZooError(f"--encoder is for pictures; {folder} holds sounds.")
    beside = [baselines.of(kind)]
    if encoder:
        beside.append(baselines.backbone(encoder, encoder_weights))
    classes = class_files(folder, kind)
    paths, item_class = labelled(classes)
    shots = shots_of(item_class)
    if not shots:
        raise ZooError(
            f"{folder} has one {kind} of every class; two of a class are needed, to leave one out."
        )
    rounds = plan(item_class, shots)
    truth = item_class[np.concatenate([one.queries for one in rounds])]
    tried = [
        _try(one.name, one.learner, one.read(paths), item_class, rounds, truth) for one in beside
    ]
    names, too_small = _candidates(kind, pattern), []
    seen: dict[str, np.ndarray] = {}  # how files are read -> items
    for number, name in enumerate(names):
        loaded = loading.load(name)
        if loaded.way and loaded.way < len(classes):
            too_small.append(name)
            continue
        reading = loaded.kind.preprocessing(loaded)
        if reading not in seen:
            dark = invert and loaded.kind.inverts
            seen[reading] = read_files(loaded, paths, dark)
        tried.append(_try(name, loaded.learner, seen[reading], item_class, rounds, truth))
        progress(f"{number + 1} of {len(names)}: {name}")
    if len(tried) == len(beside):
        raise ZooError(
            f"No model named {pattern} tells the {len(classes)} classes of {folder} apart."
        )
    tried.sort(key=lambda one: -one.hits[shots[-1]].mean())
    takes = f"{'picture' if kind == 'image' else kind}s"
    choice = Choice(
        str(folder), list(classes), takes, shots, truth, tried, beside[0].name, encoder, too_small,
        invert,
    )  # fmt: skip
    if plot:
        _draw(plot, choice)
    return choice


def kind_of(folder: str | Path) -> str:
    """``image`` or ``sound``, as the class folders hold them.

    Raises:
        ZooError: they hold both.
    """
    endings = Counter(path.suffix.lower() for path in Path(folder).glob("*/*") if path.is_file())
    count = {kind: sum(endings[ending] for ending in known) for kind, known in SUFFIXES.items()}
    if all(count.values()):
        raise ZooError(
            f"{folder} holds {count['image']} pictures and {count['sound']} sounds; give a folder "
            "of one kind."
        )
    return "sound" if count["sound"] else "image"


def shots_of(item_class: np.ndarray) -> list[int]:
    """Numbers of examples to try: those of ``SHOTS`` that there are, and all there are below 20."""
    most = min(int(np.bincount(item_class).max()) - 1, SHOTS[-1])  # one is left out
    return [shot for shot in SHOTS if shot < most] + ([most] if most else [])


def plan(item_class: np.ndarray, shots: list[int]) -> list[Round]:
    """Rounds in which every file is left out once, or ``ROUNDS`` of a class; drawn with seed 0.

    A class of one file is never left out. A class with fewer examples than asked for gives all.

    Args:
        item_class: class of each file [file].
        shots: examples of a class.
    """
    rng = np.random.default_rng(0)
    members = [rng.permutation(np.flatnonzero(item_class == k)) for k in np.unique(item_class)]
    turns = [group[:ROUNDS] if len(group) > 1 else [] for group in members]
    return [_round(members, turns, number, shots, rng) for number in range(max(map(len, turns)))]


def _round(members, turns, number: int, shots: list[int], rng) -> Round:
    queries = np.array([turn[number] for turn in turns if number < len(turn)])
    if len(queries) > QUERIES:
        queries = np.sort(rng.choice(queries, QUERIES, replace=False))
    others = [rng.permutation(np.setdiff1d(group, queries)) for group in members]
    return Round(queries, {shot: np.concatenate([one[:shot] for one in others]) for shot in shots})


def _draw(path: Path, choice: Choice) -> None:
    from zoo import pictures

    best = next(one for one in choice.tried if one.name == choice.best)
    answers = best.answers[choice.shots[-1]]
    figure = pictures.confusions(choice.classes, choice.truth, answers, best.name)
    files.write_figure(path, figure)


def _candidates(kind: str, pattern: str) -> list[str]:
    """Names of models that take such files and examples of classes."""
    known = catalogue.entries()
    names = [
        name
        for name in catalogue.list_models(pattern)
        if known[name].model.read
        and not known[name].model.describe
        and kinds.find(known[name].model.items).files == kind
    ]
    if not names:
        raise ZooError(f"No published model named {pattern} takes such files; try zoo list.")
    return names


def _try(name: str, learner, x, item_class, rounds: list[Round], truth: np.ndarray) -> Tried:
    """Name what is left out in every round.

    Args:
        name: of the model.
        learner: few-shot learner.
        x: all files as it sees them [file, ...].
        item_class: class of each [file].
        rounds: of ``plan``.
        truth: class of each file left out, in the order of the rounds [file].
    """
    items = embed(learner, x)  # each file once
    answers = {shot: _named(learner, items, item_class, rounds, shot) for shot in rounds[0].support}
    hits = {shot: (found == truth).astype(np.float64) for shot, found in answers.items()}
    return Tried(name, answers, hits)


def _named(learner, items, item_class, rounds: list[Round], shot: int) -> np.ndarray:
    """The class that each file left out is given, in the order of the rounds: [file]."""
    found: dict[int, np.ndarray] = {}  # number of a round -> [query]
    for numbers in _alike(rounds, shot):
        support = np.stack([rounds[n].support[shot] for n in numbers])  # [task, support]
        queries = np.stack([rounds[n].queries for n in numbers])  # [task, query]
        answers = respond_in_parts(learner, items, support, item_class[support], queries)
        found |= zip(numbers, answers.probabilities.argmax(axis=-1), strict=True)
    return np.concatenate([found[number] for number in range(len(rounds))])


def _alike(rounds: list[Round], shot: int) -> list[list[int]]:
    """Rounds that one call can take: equal in shape."""
    by_shape: dict[tuple[int, int], list[int]] = {}
    for number, one in enumerate(rounds):
        by_shape.setdefault((len(one.support[shot]), len(one.queries)), []).append(number)
    return list(by_shape.values())
