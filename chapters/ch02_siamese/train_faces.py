"""Train a siamese network on faces and test it on people it has never seen.

python -m chapters.ch02_siamese.train_faces                     # drawn faces, no network needed
python -m chapters.ch02_siamese.train_faces --preset book       # ORL faces, the book's network
python -m chapters.ch02_siamese.train_faces --preset unseen     # ORL faces, five splits of people
"""

import keras
import numpy as np

from chapters.ch02_siamese import baselines, faces, measures, plots, report
from chapters.ch02_siamese.losses import contrastive_loss
from chapters.ch02_siamese.models import ENERGIES, NearestNeighbour, SiameseNetwork
from chapters.ch02_siamese.presets import SCRIPTS, FacesConfig
from chapters.ch02_siamese.training import altered, train
from chapters.engine import configuration, script, strategies
from chapters.engine.evaluation import Conditions, Evaluator
from chapters.engine.export import adapt_and_predict, export_run
from chapters.engine.runs import RunFolder
from datasets.dataset import Dataset
from datasets.tasks.episodes import EpisodeSampler
from datasets.tasks.pairs import ListedPairs, Pairs, PairSampler, all_pairs, items_of_split

NETWORK, START = "siamese network", "before training"
FEATURES, PIXELS = "features, not whitened", "raw pixels"  # what has learned nothing
PARTS = {"train": 9 / 16, "val": 3 / 16, "test": 4 / 16}  # of the book's fixed pairs


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_faces"], argv)
    device = script.prepare(config.seed)
    everybody = faces.load(config)
    data = [faces.split_people(everybody, number, config) for number in range(config.splits)]
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.")
    print(report.describe_faces(everybody, data[0], config))

    results = []
    for number, people in enumerate(data):
        print(f"\nSplit {number + 1} of {config.splits}", flush=True)
        results.append(train_split(people, number, config, run.sub(f"split-{number + 1}")))

    run.json("metrics.json", report.face_metrics(results, everybody, config))
    print(report.face_table(results, everybody, config))
    draw(results, config, run)

    # The network of the first split stands for the run: chosen by its number, not by its score.
    first = results[0]
    run.weights(first["siamese"])
    run.json("decision.json", first["decision"])
    print(f"Weights, metrics and pictures are in {run.path}.")
    export_run(run, endpoints(first))


def train_split(people: Dataset, number: int, config: FacesConfig, run: RunFolder) -> dict:
    """Train on the people of ``train``, choose a threshold on ``val``, measure on ``test``."""
    keras.utils.set_random_seed(config.seed + number)
    strategy = strategies.make(config.strategy)
    with strategy.scope():
        encoder = faces.build_encoder(people.image_shape, config)
        siamese = SiameseNetwork(encoder, config.energy)

    # Data: people were split first, pairs are drawn within a split.
    batches, pairs = make_pairs(people, config)
    images = faces.pictures(people)  # [picture, height, width, 1]
    nothing_learned = {PIXELS: baselines.pixels(images)}
    if config.encoder == "ours":
        nothing_learned = {FEATURES: faces.features(encoder, images), **nothing_learned}
        faces.fit_whitening(encoder, people, config.seed)
    start = siamese.embed(images).numpy()

    def validate():
        label = pairs["val"].genuine.astype(np.float32)[:, None]
        z = siamese.embed(images).numpy()
        distance = distances(z, config.energy, pairs["val"])[:, None]
        halves = [
            contrastive_loss(label[label == kind], distance[label == kind], config.margin)
            for kind in (0, 1)
        ]  # both kinds count the same, however many pairs there are
        return {"loss": float(np.mean(halves)), "auc": measures.auc(label, distance)}

    loop = train(siamese, batches, validate, config, run, strategy)
    embeddings = {NETWORK: siamese.embed(images).numpy(), START: start, **nothing_learned}

    result = {"siamese": siamese, "loop": loop, "people": people, "pairs": pairs["test"]}
    result["scores"], result["distances"], result["one_shot"] = {}, {}, {}
    for name, z in embeddings.items():
        learned = name not in nothing_learned
        energy = config.energy if learned else "euclidean"
        val, test = distances(z, energy, pairs["val"]), distances(z, energy, pairs["test"])
        threshold = config.threshold if learned else 0
        threshold = threshold or measures.best_threshold(pairs["val"].genuine, val)
        result["scores"][name] = measures.verification(pairs["test"].genuine, test, threshold)
        result["distances"][name] = test
        result["one_shot"][name] = one_shot(z, energy, people)
        if name == NETWORK:
            sharpness = measures.calibrate(pairs["val"].genuine, val)
            result["decision"] = {"threshold": threshold, "sharpness": sharpness}
    run.json("decision.json", result["decision"])
    print(f"Test people: {report.one_line(result['scores'][NETWORK])}", flush=True)
    return result


def evaluate(learner: NearestNeighbour, config: FacesConfig, given: Conditions) -> list[dict]:
    """Rows of the test on people that the published network, that of the first split, never saw.

    Naming people in drawn tasks, as asked; then every pair of pictures, and every choice of one
    support picture for each of the people, where nothing is drawn.

    Raises:
        ConfigError, DataError: what is asked does not fit the learner or the data.
    """
    given.check("the network has no batch norm", batch_norm=())
    people = faces.split_people(faces.load(config), 0, config)
    tested = {"data": people.name, "generated": people.generated, "seed": given.seed}
    tasks = EpisodeSampler(
        people, "test", given.way or 5, given.shot or 1, given.query or 5, seed=given.seed
    )
    score = Evaluator(learner, tasks, given.episodes)()
    z = learner.embed(faces.pictures(people)).numpy()  # [picture, dim]
    pairs, energy = all_pairs(people, "test"), learner.siamese.energy
    distance = distances(z, energy, pairs)
    area = measures.auc(pairs.genuine, distance)
    equal_error_rate = measures.equal_error_rate(pairs.genuine, distance)
    way = len(people.classes("test"))
    return [
        report.drawn(score._replace(batch_norm=None), tasks, **tested),
        report.single("auc", area, **tested),
        report.single("equal_error_rate", equal_error_rate, **tested),
        report.single("one_shot_accuracy", one_shot(z, energy, people), way, **tested),
    ]


def make_pairs(people: Dataset, config: FacesConfig):
    """Training batches, and the lists of pairs of ``val`` and ``test``."""
    if not config.sample_size:  # fresh pairs at every step, every pair of the others
        batches = PairSampler(people, "train", config.pairs, config.seed)
        pairs = {split: all_pairs(people, split) for split in ("val", "test")}
    else:  # the book: all pairs are drawn before training
        pairs = {
            split: faces.get_data(people, split, round(part * config.sample_size), config.seed)
            for split, part in PARTS.items()
        }
        stored = people.items.reshape(-1, *people.image_shape)
        batches = ListedPairs(stored, pairs["train"], config.pairs, config.seed, epochs=True)
        total = sum(len(p.first) for p in pairs.values())
        print(f"X.shape {(total, 2, *people.image_shape)}, Y.shape {(total, 1)}")
        print(", ".join(f"{split} {len(p.first)} pairs" for split, p in pairs.items()))
    if config.augment:
        batches = altered(batches, faces.augment, config.seed)
    return batches, pairs


def distances(z: np.ndarray, energy: str, pairs: Pairs) -> np.ndarray:
    """Distances [pair] of a list of pairs of embeddings [picture, dim], some at a time."""
    parts = [
        ENERGIES[energy](
            z[pairs.first[start : start + 2048]], z[pairs.second[start : start + 2048]]
        )
        for start in range(0, len(pairs.first), 2048)
    ]
    return np.concatenate(parts)[:, 0]


def one_shot(z: np.ndarray, energy: str, people: Dataset) -> float:
    """One picture of each test person, all others to be named: accuracy over all choices."""
    positions = items_of_split(people, "test")
    z = z[positions]
    table = np.stack([ENERGIES[energy](row[None], z)[:, 0] for row in z])  # [picture, picture]
    return measures.one_shot_accuracy(table, people.item_class[positions])


def draw(results: list[dict], config: FacesConfig, run: RunFolder) -> None:
    """Learning curve and pairs of the first split, distances and ROC of all."""
    first = results[0]
    where = f"pairs of people never seen, {len(results)} splits"
    curve = plots.loss_curve(first["loop"].history, config.margin, "pairs of validation people")
    run.figure("loss_curve", curve)
    judged = [
        (result["pairs"].genuine, result["distances"][NETWORK], result["decision"]["threshold"])
        for result in results
    ]
    run.figure("distances", plots.histogram(judged, where))
    curves = {
        name: [(result["pairs"].genuine, result["distances"][name]) for result in results]
        for name in first["distances"]
    }
    run.figure("roc", plots.roc(curves, where))
    people, threshold = first["people"], first["decision"]["threshold"]
    sheet = plots.pair_sheet(
        people.items,
        first["pairs"],
        first["distances"][NETWORK],
        threshold,
        "Pairs of people never seen",
    )
    run.figure("pairs", sheet)


def endpoints(result: dict) -> dict:
    """Signatures of an export.

    ``serve`` names queries by their nearest support, ``distance`` compares pairs.
    """
    siamese, people = result["siamese"], result["people"]
    learner = NearestNeighbour(siamese, result["decision"]["sharpness"])
    x = faces.pictures(people, items_of_split(people, "test"))
    labels = np.arange(len(x), dtype=np.int32) % 2
    task = {"support_x": x[:4], "support_y": labels[:4], "query_x": x[4:9]}
    pair = {"a": x[:5], "b": x[5:10]}
    return {
        "serve": (adapt_and_predict(learner, strict=True), task),
        "distance": (siamese.pair_distance, pair),
    }


if __name__ == "__main__":
    script.run(main)
