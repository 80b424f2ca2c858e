"""Words and tables of the training scripts, and ``metrics.json``."""

import math

import numpy as np

from chapters.ch02_siamese import sounds
from chapters.ch02_siamese.measures import (
    Summary,
    Verification,
    auc,
    one_against_others,
    summarise,
    verification,
)
from chapters.ch02_siamese.presets import AudioConfig, FacesConfig
from chapters.engine.evaluation import Score
from chapters.engine.results import Measure, Result, share
from datasets.dataset import Dataset
from datasets.sets.sounds import Clips
from datasets.tasks.episodes import EpisodeSampler

# Precision is what the book calls accuracy.
MEASURES = {
    measure.name: measure
    for measure in (
        Measure("auc", "AUC", better="larger"),
        share("equal_error_rate", "equal error rate")._replace(better="smaller"),
        share("accuracy", "accuracy"),
        share("precision", "precision"),
        Measure("clip_auc", "clip AUC", better="larger"),
        share("clip_accuracy", "clip accuracy"),
        Measure("loss", "loss"),
    )
}
# measure -> heading of its column in the script's own table, which is narrow.
COLUMNS = {
    "auc": "AUC",
    "equal_error_rate": "EER",
    "accuracy": "accuracy",
    "precision": "precision",
    "one_shot_accuracy": "one-shot",
    "clip_auc": "clip AUC",
    "clip_accuracy": "clip acc.",
    "loss": "held-out loss",
}


def describe_faces(everybody: Dataset, people: Dataset, config: FacesConfig) -> str:
    """What is trained on what, before it starts."""
    kind = "generated stand-in" if everybody.generated else everybody.source
    sizes = ", ".join(f"{len(people.classes(s))} to {s}" for s in ("train", "val", "test"))
    pairs = "pairs drawn before training" if config.sample_size else "fresh pairs at every step"
    return (
        f"Data: {everybody.name} ({kind}); img.shape {everybody.image_shape[:2]}, "
        f"{len(everybody.class_names)} people: {sizes}; {config.splits} splits.\n"
        f"Training: {config.steps} steps of {config.pairs} pairs ({pairs}), margin "
        f"{config.margin:g}, {config.energy} distance."
    )


def describe_sounds(clips: Clips, config: AudioConfig) -> str:
    """What is trained on what, before it starts."""
    kind = "generated stand-in" if clips.generated else clips.source
    return (
        f"Data: {sounds.name_of(config)} ({kind}); {len(clips)} clips, features "
        f"{clips.features.shape[1:]}, {config.folds} folds, {config.repeats} time(s).\n"
        f"Training: {config.steps} steps of {config.pairs} pairs, margin {config.margin:g}, "
        f"{config.energy} distance."
    )


def one_line(score: Verification) -> str:
    """A split's result."""
    return (
        f"AUC {score.auc:.3f}, equal error rate {score.equal_error_rate:.3f}, accuracy "
        f"{score.accuracy:.3f} at threshold {score.threshold:.2f}, precision {score.precision:.3f}"
    )


def summaries(values: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, Summary]]:
    """method -> measure -> value of each split, to means with intervals."""
    return {
        method: {measure: summarise(numbers) for measure, numbers in by_measure.items()}
        for method, by_measure in values.items()
    }


def face_values(results: list[dict]) -> dict[str, dict[str, list[float]]]:
    """method -> measure -> value of each split."""
    measures = ("auc", "equal_error_rate", "accuracy", "precision")
    values = {}
    for method in results[0]["scores"]:
        scores = [result["scores"][method] for result in results]
        values[method] = {name: [getattr(score, name) for score in scores] for name in measures}
        values[method]["one_shot_accuracy"] = [result["one_shot"][method] for result in results]
    return values


def face_table(results: list[dict], everybody: Dataset, config: FacesConfig) -> str:
    """The results as text."""
    test = results[0]["people"].classes("test")
    threshold = f"{config.threshold:g}" if config.threshold else "chosen on validation people"
    head = (
        f"\nPairs of {len(test)} people never seen ({_name(everybody.name, everybody.generated)}), "
        f"{len(results)} split(s), mean and 95 % interval over splits (Student's t).\n"
        "AUC: how often a genuine pair is closer than an imposite one; EER: the error where the "
        "same share of both is judged wrongly.\n"
        f"Accuracy, and precision (the book's measure), at a threshold: {threshold}. Genuine and "
        f"imposite pairs\ncount the same; one-shot: {len(test)}-way 1-shot accuracy.\n"
    )
    whitened = "The whitening is fitted to the training people before the first step.\n"
    tail = whitened if config.encoder == "ours" else ""
    return head + table(summaries(face_values(results))) + tail


def table(rows: dict[str, dict[str, Summary]]) -> str:
    """Rows of methods, columns of measures; a dash where a measure has no meaning."""
    columns = list(dict.fromkeys(measure for by_measure in rows.values() for measure in by_measure))
    width = max(map(len, rows)) + 2
    lines = [" " * width + "".join(COLUMNS[measure].rjust(17) for measure in columns)]
    for method, by_measure in rows.items():
        cells = [_cell(by_measure.get(measure)) for measure in columns]
        lines.append(method.ljust(width) + "".join(cell.rjust(17) for cell in cells))
    return "\n".join(lines) + "\n"


def face_metrics(results: list[dict], everybody: Dataset, config: FacesConfig) -> dict:
    """``metrics.json``: every measure with the conditions under which it was taken."""
    way = len(results[0]["people"].classes("test"))
    values, siamese = face_values(results), results[0]["siamese"]
    tested = {"data": everybody.name, "generated": everybody.generated, "seed": config.seed}
    rows = metric_rows(values, siamese, {"one_shot_accuracy": way}, **tested)
    return {
        "method": next(iter(values)),
        "results": rows,
        "parameters": siamese.count_params(),
        "steps": config.steps,
        "train_seconds": round(sum(result["loop"].seconds for result in results), 1),
        "decisions": [result["decision"] for result in results],
        "people": people_of(results[0]["people"]),  # of the network that is kept
    }


def people_of(people: Dataset) -> dict[str, list[str]]:
    """Split -> names of its people."""
    return {
        split: [people.class_names[k] for k in classes] for split, classes in people.splits.items()
    }


def audio_values(results: list[dict], clips: Clips, config: AudioConfig):
    """method -> measure -> value of each cross-validation."""
    values: dict[str, dict[str, list[float]]] = {}
    _, label = sounds.classes_of(clips)
    for result in results:
        genuine = result["pairs"].genuine
        for method, score in result["scores"].items():
            # Logistic regressions decide at probability one half, the network at half its margin.
            network = method == "siamese network"
            threshold = config.margin / 2 if network else 0.5
            pair = verification(genuine, result["distances"][method], threshold)
            measured = {
                "clip_auc": float(np.mean([auc(*one) for one in one_against_others(label, score)])),
                "clip_accuracy": float(np.mean(score.argmax(axis=1) == label)),
                "auc": pair.auc,
                "equal_error_rate": pair.equal_error_rate,
                "accuracy": pair.accuracy,
                "precision": pair.precision,
            }
            if network:
                measured["loss"] = result["loss"]
            for name, value in measured.items():
                values.setdefault(method, {}).setdefault(name, []).append(value)
    return values


def audio_table(results: list[dict], clips: Clips, config: AudioConfig) -> str:
    """The results as text."""
    pairs = results[0]["pairs"]
    classes, _ = sounds.classes_of(clips)
    two = len(classes) == 2
    against = " against ".join(reversed(classes)) if two else "every class against the others"
    head = (
        f"\n{len(clips)} clips, each tested once by a network that never heard it "
        f"({_name(sounds.name_of(config), clips.generated)}), {config.folds} folds;\n"
        f"mean and 95 % interval over {len(results)} cross-validation(s) (Student's t): other "
        "folds and weights, the same clips.\n"
        f"clip AUC: {against} by distance to the training clips; the other columns: "
        f"{len(pairs.first)} pairs within test folds,\n"
        f"at threshold {config.margin / 2:g}. A network with loss above {config.margin**2 / 4:g} "
        "has learned nothing.\n"
    )
    return head + table(summaries(audio_values(results, clips, config)))


def audio_metrics(results: list[dict], clips: Clips, config: AudioConfig) -> dict:
    """``metrics.json``: every measure with the conditions under which it was taken."""
    values = audio_values(results, clips, config)
    first = results[0]["first"]
    siamese = first["siamese"]
    tested = {"data": sounds.name_of(config), "generated": clips.generated, "seed": config.seed}
    return {
        "method": next(iter(values)),
        "results": metric_rows(values, siamese, {}, **tested),
        "parameters": siamese.count_params(),
        "steps": config.steps,
        "train_seconds": round(sum(result["seconds"] for result in results), 1),
        "decisions": [first["decision"]],
        "clips": clips_of(clips, first["test"]),  # of the network that is kept
    }


def clips_of(clips: Clips, test: np.ndarray) -> dict[str, list[str]]:
    """Split -> its files."""
    heard = np.delete(clips.file, test)
    return {"train": heard.tolist(), "test": clips.file[test].tolist()}


def drawn(score: Score, tasks: EpisodeSampler, **tested) -> dict:
    """Row of a score on drawn tasks; ``tested`` as for ``metric_rows``."""
    size = {"way": tasks.way, "shot": tasks.shot, "query": tasks.query}
    # Another name than that of pairs at a threshold, which is called accuracy.
    measure = share("naming_accuracy", f"naming, {tasks.way}-way {tasks.shot}-shot")
    return Result(method="", measure=measure, **size, **{**tested, **score._asdict()}).row()


def single(name: str, value: float, way: int | None = None, **tested) -> dict:
    """Row of a value for which nothing is drawn; ``tested`` as for ``metric_rows``."""
    return Result(
        method="", measure=measure_of(name, way), mean=value, interval=None, way=way,
        shot=way and 1, **tested,
    ).row()  # fmt: skip


def measure_of(name: str, way: int | None = None) -> Measure:
    """The measure of a name; one-shot accuracy needs its number of classes."""
    return share(name, f"{way}-way 1-shot") if way else MEASURES[name]


def metric_rows(values, siamese, ways: dict[str, int], **tested) -> list[dict]:
    """One row for each method and measure; ``runs`` are splits, or whole cross-validations.

    Args:
        values: method -> measure -> its values.
        siamese: the network, of which batch norm is told.
        ways: measure -> classes, where it has any.
        tested: ``data``, ``generated`` and ``seed`` of a ``Result``.
    """
    normalised = any("batch_normalization" in layer.name for layer in siamese.encoder.layers)
    rows = []
    for method, by_measure in values.items():
        for measure, numbers in by_measure.items():
            summary = summarise(numbers)
            if math.isnan(summary.mean):  # a precision where no pair was accepted
                continue
            way = ways.get(measure)
            result = Result(
                method=method,
                measure=measure_of(measure, way),
                mean=summary.mean,
                interval=summary.interval,
                way=way,
                shot=way and 1,
                runs=summary.runs,
                batch_norm="stored" if normalised else None,
                headline=measure == next(iter(by_measure)),
                **tested,
            )
            each = [None if math.isnan(number) else number for number in numbers]
            rows.append({**result.row(), "values": each})
    return rows


def _name(data: str, generated: bool) -> str:
    return f"{data}, generated stand-in" if generated else data


def _cell(summary: Summary | None) -> str:
    if summary is None or math.isnan(summary.mean):
        return "-"
    return f"{summary.mean:.3f}" if summary.runs < 2 else str(summary)
