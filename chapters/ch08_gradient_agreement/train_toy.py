"""The book's toy problem of section 8.4, mended.

python -m chapters.ch08_gradient_agreement.train_toy                   # ten tasks per batch
python -m chapters.ch08_gradient_agreement.train_toy --preset book     # two, as in the book
python -m chapters.ch08_gradient_agreement.train_toy --outliers 1
python -m chapters.ch08_gradient_agreement.train_toy --as-printed      # the book's coin flips
"""

from chapters.ch08_gradient_agreement import learners, networks
from chapters.ch08_gradient_agreement.losses import binary_cross_entropy
from chapters.ch08_gradient_agreement.presets import SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.runs import RunFolder
from chapters.experiments import toy


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_toy"], argv)
    learners.check(config)
    device = script.prepare(config.seed)
    training, validation, test = toy.samplers(config)
    training = learners.training_tasks(config, training)
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
    learners.draw(run, history, learner, training, config)
    print(f"Weights, metrics and pictures are in {run.path}.")
    task = first_task(test(0)[0])
    export_run(run, {"serve": (adapt_and_predict(learner, strict=True), task)})


def build_learner(config):
    """The learner of the options, not trained."""
    return learners.build(config, networks.logistic_layer(toy.DIM), binary_cross_entropy)


if __name__ == "__main__":
    script.run(main)
