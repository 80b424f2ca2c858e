"""The book's toy problem of sections 6.5 (MAML) and 6.7 (ADML), mended.

python -m chapters.ch06_maml.train_toy
python -m chapters.ch06_maml.train_toy --preset book_adml
python -m chapters.ch06_maml.train_toy --as-printed       # the book's labels: nothing to learn
"""

import keras

from chapters.ch06_maml import adml, maml, networks
from chapters.ch06_maml.losses import binary_cross_entropy
from chapters.ch06_maml.presets import SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.runs import RunFolder
from chapters.experiments import toy
from chapters.experiments.options import outer_rate

OUTER_STEPS = {"maml": maml.train_step, "adml": adml.train_step}


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_toy"], argv)
    device = script.prepare(config.seed)
    training, validation, test = toy.samplers(config)
    run = RunFolder.open(config, __spec__.name, device)
    print(f"Device: {device}. Run folder: {run.path}.", toy.describe(config), sep="\n")

    # Learner: a single layer, how it adapts, and how its first weights are learned.
    learner, untrained = build_learner(config), build_learner(config)
    optimizer = keras.optimizers.Adam(outer_rate(config))
    optimizer.build(learner.trainable_variables)
    step = OUTER_STEPS[config.method](learner, optimizer, toy.mapping(config))

    # Training prints the book's lines; the test is on fresh tasks, which the book leaves out.
    loop = toy.loop(step, learner, optimizer, training, validation, run, config)
    history = loop()
    run.weights(learner)
    name = f"{'FO' if config.first_order else ''}{config.method.upper()}"
    scores = toy.test({name: learner, "random weights": untrained}, test, config)
    print(toy.table(*scores, config))
    run.metrics(name, toy.rows(*scores, config), learner, loop)
    run.figure("learning_curve", toy.learning_curve(history))
    print(f"Weights, metrics and pictures are in {run.path}.")
    task = first_task(test(0)[0])
    export_run(run, {"serve": (adapt_and_predict(learner, strict=True), task)})


def build_learner(config):
    """The learner of the options, not trained."""
    network = networks.logistic_layer(toy.DIM)
    names = ("inner_steps", "test_steps", "first_order")
    shared = {name: getattr(config, name) for name in names}
    if config.method == "adml":
        attack = {"epsilon": config.epsilon, "pairing": config.pairing}
        return adml.ADML(network, binary_cross_entropy, config.inner_rate, **attack, **shared)
    return maml.MAML(network, binary_cross_entropy, config.inner_rate, **shared)


if __name__ == "__main__":
    script.run(main)
