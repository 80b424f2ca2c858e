"""A published update rule on a model of one's own, beside Adam.

python -m zoo.optimizing                       # half a minute; breast-cancer data of scikit-learn
python -m zoo.optimizing --rule NAME_OR_RUN    # another rule
"""

from pathlib import Path

import numpy as np

from chapters.engine import script
from chapters.engine.configuration import Parser, whole, within
from chapters.engine.evaluation import interval95
from zoo import catalogue, loading
from zoo.errors import ZooError
from zoo.loaded import Loaded, function
from zoo.records import safety, store

RULE = "rnnprop-digits"
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)  # of Adam
EPOCHS, BATCH, HELD_OUT = 15, 64, 169  # passes, items of a step, items of the test


def optimizer(model: str | Path | Loaded):
    """A Keras optimizer that works by a rule that was learned.

    Args:
        model: a name of the zoo, what ``zoo.load`` gave, or the folder of a run.

    Raises:
        ZooError: no such model, or one that takes something else than gradients.
    """
    named = isinstance(model, Loaded) or not Path(model).is_dir()
    rule = _of_name(model) if named else _of_run(model)
    return function("chapters.ch01_learned_optimizers.optimizer:LearnedOptimizer")(rule)


def _of_name(model: str | Loaded):
    """The rule of a model of the zoo."""
    loaded = model if isinstance(model, Loaded) else loading.load(str(model))
    if loaded.kind.takes != "gradients":
        raise ZooError(
            f"{loaded.name} takes {loaded.kind.takes} and is no update rule; {RULE} is one."
        )
    return loaded.learner


def _of_run(folder: str | Path):
    """The rule that a run has learned."""
    run = Path(folder)
    made_by = safety.read_json(run / store.CONFIG).get("script", "")
    entry = catalogue.of_run("own-rule", made_by)
    if entry.model.items != "gradient":
        raise ZooError(f"{run} is a run of {made_by}, which learns no update rule.")
    return loading.of_run(entry, run)


def main(argv: list[str] | None = None) -> None:
    """Train a small network with a learned rule, with Adam as it is, and with Adam's best rate."""
    import keras

    parser = Parser(prog="python -m zoo.optimizing", description=__doc__.partition("\n")[0])
    parser.add_argument("--rule", default=RULE, help=f"name or run folder (default: {RULE})")
    parser.add_argument(
        "--seeds", type=within(whole, 1, 100), default=5, help="trainings of each (default: 5)"
    )
    options = parser.parse_args(argv)
    print(f"Device: {script.prepare(seed=0)}.")
    data = breast_cancer()
    optimizer(options.rule)  # before anything is trained
    best = min(RATES, key=lambda rate: trained(lambda: keras.optimizers.Adam(rate), data, 100)[0])
    makers = {
        f"{Path(options.rule).name}, no rate to tune": lambda: optimizer(options.rule),
        "Adam at 0.001, Keras' rate": lambda: keras.optimizers.Adam(),
        f"Adam at {best:g}, the best of {len(RATES)}": lambda: keras.optimizers.Adam(best),
    }
    print(
        f"A network 30-16-1 on breast-cancer data, {EPOCHS} epochs in batches of {BATCH}, "
        f"{options.seeds} seeds:\n\n{'':34}{'log10 of training loss':>24}{'test accuracy, %':>20}"
    )
    for name, make in makers.items():
        found = np.array([trained(make, data, seed) for seed in range(options.seeds)])
        loss, right = np.log10(found[:, 0]), 100 * found[:, 1]
        cells = [f"{x.mean():.2f} +- {interval95(x):.2f}" for x in (loss, right)]
        print(f"{name[:33].ljust(34)}{cells[0]:>24}{cells[1]:>20}", flush=True)
    print(
        "\nThe rule learned on other networks, other data and runs of its own length. A smaller "
        "training loss is\nwhat it was made for; whether a model is better on new data is another "
        "question, as the last column shows."
    )


def breast_cancer():
    """Standardised measurements and labels: training x, y, and test x, y."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.RandomState(0).permutation(len(y))
    train, test = order[HELD_OUT:], order[:HELD_OUT]
    mean, spread = x[train].mean(axis=0), x[train].std(axis=0)
    x = ((x - mean) / spread).astype(np.float32)
    return x[train], y[train], x[test], y[test]


def trained(make, data, seed: int) -> tuple[float, float]:
    """Training loss and test accuracy of a small network after a training."""
    import keras

    keras.utils.set_random_seed(seed)
    x, y, test_x, test_y = data
    layers = [keras.layers.Input((30,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    accuracy = keras.metrics.BinaryAccuracy(threshold=0.0)
    model.compile(make(), loss=loss, metrics=[accuracy])
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    final = model.evaluate(x, y, batch_size=len(y), verbose=0)[0]
    return final, model.evaluate(test_x, test_y, batch_size=len(test_y), verbose=0)[1]


if __name__ == "__main__":
    script.run(main)
