"""Learn to fit a sine curve from a few points, with MAML or CAML.

python -m chapters.ch06_maml.train_sine                      # MAML, as in the paper
python -m chapters.ch06_maml.train_sine --preset raw_numpy   # the README "MAML in raw numpy"
python -m chapters.ch06_maml.train_sine --preset blog        # the blog "Meta Learning in PyTorch"
"""

from chapters.ch06_maml import caml, maml, networks
from chapters.ch06_maml.losses import ERRORS
from chapters.ch06_maml.presets import PUBLISHED_SINE, SCRIPTS
from chapters.engine import configuration, script, strategies
from chapters.engine.errors import ConfigError
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.runs import RunFolder
from chapters.experiments import sine
from chapters.experiments.options import widths

METHODS = {"maml": (maml.MAML, maml.train_step), "caml": (caml.CAML, caml.train_step)}


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
    _, train_step = METHODS[config.method]
    step = train_step(learner, optimizer, sine.mapping(config))
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.", sine.describe(config), sep="\n")

    # Training.
    curves = training, validation
    loop = sine.loop(step, learner, optimizer, *curves, run, config, strategy=strategy)
    history = loop()
    run.weights(learner)

    # Test, beside the same network trained jointly and not at all.
    name, published = name_of(config), PUBLISHED_SINE.get(config.preset)
    plain = [networks.sine_network(config) for _ in range(2)]
    others = sine.baselines(plain, learner.objective, *curves, run, config)
    contenders = {name: learner, **others}
    scores = sine.test(contenders, test, config)
    print(sine.table(scores, config, published))
    run.metrics(name, sine.rows(scores, config, name, published), learner, loop)
    sine.draw(run, history, scores, contenders, config)
    print(f"Weights, metrics and pictures are in {run.path}.")
    task = first_task(test(0)[0])
    export_run(run, {"serve": (adapt_and_predict(learner, strict=True), task)})


def build_learner(config):
    """The learner of the options, not trained."""
    learner_class, _ = METHODS[config.method]
    return learner_class(
        build_network(config),
        ERRORS[config.objective],
        config.inner_rate,
        config.inner_steps,
        config.test_steps,
        config.first_order,
    )


def build_network(config):
    """The network of the options, with its first weights."""
    if config.method == "caml":
        if (config.activation, config.init) != ("relu", "glorot"):
            raise ConfigError(
                "--activation and --init are for --method maml; CAML's network is the paper's."
            )
        return caml.sine_network(config.context, widths(config.hidden, "--hidden"))
    return networks.sine_network(config)


def name_of(config) -> str:
    """The method as tables call it."""
    return f"{'FO' if config.first_order else ''}{config.method.upper()}"


if __name__ == "__main__":
    script.run(main)
