"""The book's toy problem of section 7.4 (Meta-SGD), mended.

python -m chapters.ch07_meta_sgd_reptile.train_toy
python -m chapters.ch07_meta_sgd_reptile.train_toy --as-printed   # the book's labels: nothing there
"""

from chapters.ch07_meta_sgd_reptile import learners, networks, plots
from chapters.ch07_meta_sgd_reptile.losses import binary_cross_entropy
from chapters.ch07_meta_sgd_reptile.presets import SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.runs import RunFolder
from chapters.experiments import toy


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_toy"], argv)
    device = script.prepare(config.seed)
    training, validation, test = toy.samplers(config)
    run = RunFolder.open(config, __spec__.name, device)
    print(f"Device: {device}. Run folder: {run.path}.", toy.describe(config), sep="\n")

    # Learner: a single layer, how it adapts, and how its first weights are learned.
    learner, untrained = build_learner(config), build_learner(config)
    optimizer = learners.outer_optimizer(config, learner.trainable_variables)
    step = learners.outer_step(config, learner, optimizer, toy.mapping(config))

    # Training prints the book's lines; the test is on fresh tasks, which the book leaves out.
    loop = toy.loop(step, learner, optimizer, training, validation, run, config)
    history = loop()
    run.weights(learner)
    name = learners.name_of(config)
    scores = toy.test({name: learner, "random weights": untrained}, test, config)
    print(toy.table(*scores, config))
    run.metrics(name, toy.rows(*scores, config), learner, loop)
    run.figure("learning_curve", toy.learning_curve(history))
    if config.method == "meta_sgd":
        run.figure("rates", plots.rates(learner.learned_rates()))
    print(f"Weights, metrics and pictures are in {run.path}.")
    task = first_task(test(0)[0])
    export_run(run, {"serve": (adapt_and_predict(learner, strict=True), task)})


def build_learner(config):
    """The learner of the options, not trained."""
    return learners.build(config, networks.logistic_layer(toy.DIM), binary_cross_entropy)


if __name__ == "__main__":
    script.run(main)
