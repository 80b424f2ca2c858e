"""Learn to fit a sine curve from a few points, with Meta-SGD or Reptile.

python -m chapters.ch07_meta_sgd_reptile.train_sine                           # Meta-SGD
python -m chapters.ch07_meta_sgd_reptile.train_sine --preset meta_sgd_5shot   # as in its paper
python -m chapters.ch07_meta_sgd_reptile.train_sine --preset reptile          # as its authors did
python -m chapters.ch07_meta_sgd_reptile.train_sine --preset book_reptile     # section 7.7, mended
"""

from chapters.ch07_meta_sgd_reptile import learners, networks, plots
from chapters.ch07_meta_sgd_reptile.losses import ERRORS
from chapters.ch07_meta_sgd_reptile.presets import PUBLISHED_SINE, SCRIPTS
from chapters.engine import configuration, script, strategies
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.runs import RunFolder
from chapters.experiments import sine


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_sine"], argv)
    device = script.prepare(config.seed)
    strategy = strategies.make(config.strategy)

    # Data: curves of training, validation and test are never the same.
    training, validation, test = sine.samplers(config)

    # Learner: a network, how it adapts, and how its first weights are learned.
    with strategy.scope():
        learner = build_learner(config)
        optimizer = sine.outer_optimizer(config, learner.trainable_variables)
    step = learners.outer_step(config, learner, optimizer, sine.mapping(config))
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.", sine.describe(config), sep="\n")

    # Training.
    curves = training, validation
    loop = sine.loop(step, learner, optimizer, *curves, run, config, strategy=strategy)
    history = loop()
    run.weights(learner)

    # Test, beside the same network trained jointly and not at all.
    name, published = learners.name_of(config), PUBLISHED_SINE.get(config.preset)
    plain = [networks.sine_network(config) for _ in range(2)]
    others = sine.baselines(plain, learner.objective, *curves, run, config)
    contenders = {name: learner, **others}
    scores = sine.test(contenders, test, config)
    print(sine.table(scores, config, published))
    run.metrics(name, sine.rows(scores, config, name, published), learner, loop)
    sine.draw(run, history, scores, contenders, config)
    if config.method == "meta_sgd":
        run.figure("rates", plots.rates(learner.learned_rates()))
    print(f"Weights, metrics and pictures are in {run.path}.")
    task = first_task(test(0)[0])
    export_run(run, {"serve": (adapt_and_predict(learner, strict=True), task)})


def build_learner(config):
    """The learner of the options, not trained."""
    return learners.build(config, networks.sine_network(config), ERRORS[config.objective])


if __name__ == "__main__":
    script.run(main)
