"""Train a siamese network on barks and meows, or other sounds, and test it on clips never heard.

python -m chapters.ch02_siamese.train_audio                     # synthesised, no network needed
python -m chapters.ch02_siamese.train_audio --preset book       # 42 clips, the book's network
python -m chapters.ch02_siamese.train_audio --preset unseen     # 42 clips, cross-validated 5 times
python -m chapters.ch02_siamese.train_audio --data FOLDER       # your own class folders
"""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from chapters.ch02_siamese import baselines, measures, plots, report, sounds
from chapters.ch02_siamese.losses import contrastive_loss
from chapters.ch02_siamese.models import ENERGIES, NearestNeighbour, SiameseNetwork
from chapters.ch02_siamese.presets import SCRIPTS, AudioConfig
from chapters.ch02_siamese.training import altered, train
from chapters.engine import configuration, script, strategies
from chapters.engine.evaluation import Conditions, Evaluator
from chapters.engine.export import adapt_and_predict, export_run
from chapters.engine.runs import RunFolder
from datasets.sets.sounds import Clips, to_dataset
from datasets.tasks.episodes import EpisodeSampler
from datasets.tasks.pairs import ListedPairs, Pairs, folder_folds

NETWORK, REGRESSION, LENGTH = "siamese network", "logistic regression, MFCC", "length of the clip"


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_audio"], argv)
    sounds.check(config)
    device = script.prepare(config.seed)
    clips = sounds.load(config)
    config = sounds.fitted(config, clips)
    fold_of = [  # of each cross-validation; errors about too few files come before any training
        folder_folds(clips.folder, config.folds, config.seed + repeat)
        for repeat in range(config.repeats)
    ]
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.")
    print(report.describe_sounds(clips, config), flush=True)

    results = [
        cross_validate(clips, fold, repeat, config, run) for repeat, fold in enumerate(fold_of)
    ]
    run.json("metrics.json", report.audio_metrics(results, clips, config))
    print(report.audio_table(results, clips, config))
    draw(results, clips, config, run)

    # The network of the first fold stands for the run: chosen by its number, not by its score.
    first = results[0]["first"]
    run.weights(first["siamese"])
    run.json("decision.json", first["decision"])
    print(f"Weights, metrics and pictures are in {run.path}.")
    export_run(run, endpoints(first, clips))


def cross_validate(clips: Clips, fold, repeat: int, config: AudioConfig, run: RunFolder) -> dict:
    """Train once for each fold, test on its clips, and put the folds together.

    Every clip is tested once, by a network that has never heard it: ``score`` [clip, class] is
    high for its class. Pairs are those within the test clips of a fold.

    Returns:
        scores: method -> score [clip, class]; distances: method -> [pair]; pairs: Pairs of all
        folds; first: network, history and decision of the first fold; seconds: of all folds.
    """
    methods = (NETWORK, REGRESSION, LENGTH)
    known = {REGRESSION: baselines.statistics(clips), LENGTH: baselines.length(clips)}
    classes, label = sounds.classes_of(clips)
    scores = {name: np.zeros([len(clips), len(classes)]) for name in methods}
    parts, distances, first, seconds, losses = [], {name: [] for name in methods}, None, 0.0, []
    for number in range(config.folds):
        train_clips, test_clips = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        name = f"repeat-{repeat + 1}-fold-{number + 1}"
        fitted = train_fold(clips, train_clips, test_clips, config, run.sub(name), repeat, number)
        first, seconds = first or fitted, seconds + fitted["loop"].seconds
        losses.append(fitted["loop"].history[-1]["val_loss"])
        pairs = sounds.get_data(clips, test_clips)
        parts.append(pairs)

        z = fitted["siamese"].embed(clips.features).numpy()  # [clip, dim]
        scores[NETWORK][test_clips] = class_score(z, label, train_clips, config)[test_clips]
        distances[NETWORK].append(ENERGIES[config.energy](z[pairs.first], z[pairs.second])[:, 0])
        for method, features in known.items():
            probability = baselines.class_probability(features, label, train_clips)
            same = baselines.same_class(probability, pairs.first, pairs.second)
            scores[method][test_clips] = probability[test_clips]
            distances[method].append(1 - same)
    return {
        "scores": scores,
        "distances": {name: np.concatenate(values) for name, values in distances.items()},
        "pairs": Pairs(*(np.concatenate(columns) for columns in zip(*parts, strict=True))),
        "first": first,
        "seconds": seconds,
        "loss": float(np.mean(losses)),
    }


def train_fold(
    clips: Clips, train_clips, test_clips, config: AudioConfig, run: RunFolder, repeat, number
) -> dict:
    """Train on some clips; the others are only measured, and choose nothing."""
    keras.utils.set_random_seed(config.seed + config.folds * repeat + number)
    strategy = strategies.make(config.strategy)
    with strategy.scope():
        encoder = sounds.build_encoder(config)
        siamese = SiameseNetwork(encoder, config.energy)
    encoder.get_layer("normalise").fit(clips.features[train_clips], clips.valid[train_clips])

    # Data: files were split first, pairs are made of the training files.
    pairs, held_out = sounds.get_data(clips, train_clips), sounds.get_data(clips, test_clips)
    batches = ListedPairs(clips.features, pairs, config.pairs, config.seed, epochs=config.epochs)
    if config.augment:
        batches = altered(batches, lambda x, seed: sounds.crop(x, config.crop, seed), config.seed)

    def validate():
        distance = siamese.distances_of(clips.features, held_out)
        kinds = (held_out.genuine, True), (~held_out.genuine, False)  # each counts one half
        losses = [
            contrastive_loss(tf.fill([of.sum(), 1], float(kind)), distance[of], config.margin)
            for of, kind in kinds
        ]
        return {"loss": sum(losses) / 2}

    loop = train(siamese, batches, validate, config, run, strategy, verbose=0)
    distance = siamese.distances_of(clips.features, pairs).numpy()
    decision = {
        "threshold": config.margin / 2,
        "sharpness": measures.calibrate(pairs.genuine, distance),
    }
    run.json("decision.json", decision)
    last = loop.history[-1]
    print(
        f"{run.path.name}: {len(pairs.first)} pairs, loss {last['loss']:.4f}, on held-out clips "
        f"{last['val_loss']:.4f}, {loop.seconds:.0f} s",
        flush=True,
    )
    return {"siamese": siamese, "loop": loop, "decision": decision, "test": test_clips}


def evaluate(learner: NearestNeighbour, config: AudioConfig, given: Conditions) -> list[dict]:
    """Rows of the test on clips that the published network, that of the first fold, never heard.

    Naming classes in drawn tasks, as asked; then every pair of clips.

    Raises:
        ConfigError, DataError: what is asked does not fit the learner or the data.
    """
    given.check("the network has nothing but stored averages", batch_norm=("stored",))
    clips = sounds.load(config)
    config = sounds.fitted(config, clips)
    held_out = np.flatnonzero(folder_folds(clips.folder, config.folds, config.seed) == 0)
    name = sounds.name_of(config)
    tested = {"data": name, "generated": clips.generated, "seed": given.seed}
    heard = to_dataset(name, clips)
    heard = dataclasses.replace(
        heard, items=heard.items[held_out], item_class=heard.item_class[held_out]
    )
    tasks = EpisodeSampler(
        heard, "all", given.way or 2, given.shot or 1, given.query or 1, seed=given.seed
    )
    score = Evaluator(learner, tasks, given.episodes)()
    pairs = sounds.get_data(clips, held_out)
    distance = learner.siamese.distances_of(clips.features, pairs).numpy()
    area = measures.auc(pairs.genuine, distance)
    return [report.drawn(score, tasks, **tested), report.single("auc", area, **tested)]


def class_score(z, label, train_clips, config: AudioConfig) -> np.ndarray:
    """How near the training clips of every class are, on average: [clip, class]."""
    support = z[train_clips]
    distance = ENERGIES[config.energy](z[:, None], support[None])[..., 0].numpy()
    classes = range(label.max() + 1)
    of_class = [distance[:, label[train_clips] == k].mean(axis=1) for k in classes]
    return -np.stack(of_class, axis=1)


def draw(results: list[dict], clips: Clips, config: AudioConfig, run: RunFolder) -> None:
    """Learning curve of the first fold; distances, ROC and pairs of the first cross-validation."""
    first = results[0]
    genuine, threshold = first["pairs"].genuine, config.margin / 2
    where = "pairs of clips never heard"
    history = first["first"]["loop"].history
    run.figure("loss_curve", plots.loss_curve(history, config.margin, "pairs of held-out clips"))
    judged = [(genuine, first["distances"][NETWORK], threshold)]  # of all folds alike
    run.figure("distances", plots.histogram(judged, where))
    classes, label = sounds.classes_of(clips)
    curves = {
        name: measures.one_against_others(label, score) for name, score in first["scores"].items()
    }
    two = len(classes) == 2
    kinds = [f"{name} clips" for name in classes] if two else ("other clips", "clips of a class")
    title = " or ".join(reversed(classes)) if two else "one class or another"
    run.figure("roc", plots.roc(curves, f"{title}, clips never heard", kinds))
    names = [Path(file).with_suffix("") for file in clips.file]  # own files may be called alike
    names = [str(path) if sounds.is_own(config) else path.name for path in names]
    title = f"{where[0].upper()}{where[1:]}"
    sheet = plots.pair_sheet(
        clips.features, first["pairs"], first["distances"][NETWORK], threshold, title, names
    )
    run.figure("pairs", sheet)


def endpoints(first: dict, clips: Clips) -> dict:
    """Signatures of an export.

    ``serve`` names clips by their nearest support, ``distance`` compares pairs.
    """
    siamese = first["siamese"]
    learner = NearestNeighbour(siamese, first["decision"]["sharpness"])
    x = tf.constant(clips.features[:: max(len(clips) // 10, 1)][:10])
    labels = np.arange(len(x), dtype=np.int32) % 2
    task = {"support_x": x[:4], "support_y": labels[:4], "query_x": x[4:]}
    half = len(x) // 2
    pair = {"a": x[:half], "b": x[half : 2 * half]}
    return {
        "serve": (adapt_and_predict(learner, strict=True), task),
        "distance": (siamese.pair_distance, pair),
    }


if __name__ == "__main__":
    script.run(main)
