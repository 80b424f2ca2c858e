"""Learn to fit a sine curve from a few points, with MAML or CAML.

python -m chapters.ch06_maml.train_sine                      # MAML, as in the paper
python -m chapters.ch06_maml.train_sine --preset raw_numpy   # the README "MAML in raw numpy"
python -m chapters.ch06_maml.train_sine --preset blog        # the blog "Meta Learning in PyTorch"
"""

from chapters.ch06_maml import caml, maml
from chapters.ch06_maml.presets import PUBLISHED_SINE, SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.objectives import OBJECTIVES
from chapters.experiments import sine
from chapters.experiments.adaptation import Method
from chapters.experiments.options import numbers, outer_rate


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_sine"], argv)
    sine.run(config, __spec__.name, build, PUBLISHED_SINE.get(config.preset))


def build(config) -> Method:
    """The learner of ``--method``, its optimizer and its training step."""
    if config.method == "caml":
        name, module, learner_class = "CAML", caml, caml.CAML
        network = caml.sine_network(config.context, numbers(config.hidden, "--hidden", 1))
    else:
        name, module, learner_class = "MAML", maml, maml.MAML
        network = sine.network(config)
    learner = learner_class(
        network,
        OBJECTIVES[config.objective],
        config.inner_rate,
        config.inner_steps,
        config.test_steps,
        config.first_order,
    )
    optimizer = sine.optimizer(config, outer_rate(config), learner.trainable_variables)
    step = module.train_step(learner, optimizer, sine.mapping(config))
    return Method(f"FO{name}" if config.first_order else name, learner, optimizer, step)


def build_learner(config, decision=None):
    """The learner of the options, not trained."""
    return build(config).learner


if __name__ == "__main__":
    script.run(main)
