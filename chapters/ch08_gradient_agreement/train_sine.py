"""Learn to fit a sine curve from a few points, weighting tasks by how much their gradients agree.

python -m chapters.ch08_gradient_agreement.train_sine                      # one outlier task of ten
python -m chapters.ch08_gradient_agreement.train_sine --preset ga_maml     # no outlier tasks
python -m chapters.ch08_gradient_agreement.train_sine --preset ga_reptile
"""

import dataclasses

import keras

from chapters.ch08_gradient_agreement import learners, networks
from chapters.ch08_gradient_agreement.losses import ERRORS
from chapters.ch08_gradient_agreement.presets import SCRIPTS
from chapters.engine import configuration, script, strategies
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.results import MINUS
from chapters.engine.runs import RunFolder
from chapters.experiments import sine


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_sine"], argv)
    learners.check(config)
    device = script.prepare(config.seed)
    strategy = strategies.make(config.strategy)

    # Data: curves of training, validation and test are never the same; outliers to train on only.
    training, validation, test = sine.samplers(config)
    training = learners.training_tasks(config, training)
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.", sine.describe(config), sep="\n")

    # Training, and again with equal weights, on the same tasks from the same first weights.
    curves = training, validation
    learner, loop = trained(config, *curves, run, strategy)
    run.weights(learner)
    name = learners.name_of(config)
    contenders = {name: learner}
    if config.compare:
        plain = dataclasses.replace(config, agreement=False)
        rival = learners.name_of(plain)
        print(f"\n{rival}, trained on the same tasks, to compare with.")
        keras.utils.set_random_seed(config.seed)
        contenders[rival], _ = trained(plain, *curves, run.sub("rival"), strategy)

    # Test, beside the same network trained jointly and not at all.
    plain = [networks.sine_network(config) for _ in range(2)]
    contenders |= sine.baselines(plain, learner.objective, *curves, run, config)
    scores = sine.test(contenders, test, config)
    paired = {}
    if config.compare:
        differences = sine.difference(contenders[rival], learner, test, config)
        paired[f"{rival}{MINUS}{name}"] = differences
    print(sine.table(scores | paired, config))
    rows = sine.rows(scores, config, name) + sine.rows(paired, config, rival=False)
    run.metrics(name, rows, learner, loop)
    sine.draw(run, loop.history, scores, contenders, config)
    learners.draw(run, loop.history, learner, training, config)
    print(f"Weights, metrics and pictures are in {run.path}.")
    task = first_task(test(0)[0])
    export_run(run, {"serve": (adapt_and_predict(learner, strict=True), task)})


def trained(config, training, validation, run, strategy):
    """The learner of the options after its training, and the loop that trained it."""
    with strategy.scope():
        learner = build_learner(config)
        optimizer = sine.outer_optimizer(config, learner.trainable_variables)
    step = learners.outer_step(config, learner, optimizer, sine.mapping(config))
    curves = training, validation
    loop = sine.loop(step, learner, optimizer, *curves, run, config, strategy=strategy)
    loop()
    return learner, loop


def build_learner(config):
    """The learner of the options, not trained."""
    return learners.build(config, networks.sine_network(config), ERRORS[config.objective])


if __name__ == "__main__":
    script.run(main)
