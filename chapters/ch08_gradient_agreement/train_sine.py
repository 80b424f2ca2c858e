"""Learn to fit a sine curve from a few points, weighting tasks by how much their gradients agree.

python -m chapters.ch08_gradient_agreement.train_sine                      # one odd task of ten
python -m chapters.ch08_gradient_agreement.train_sine --preset ga_maml     # no odd tasks
python -m chapters.ch08_gradient_agreement.train_sine --preset ga_reptile
"""

import dataclasses

from chapters.ch08_gradient_agreement import methods
from chapters.ch08_gradient_agreement.presets import SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.objectives import OBJECTIVES
from chapters.experiments import sine
from chapters.experiments.adaptation import Method
from chapters.experiments.options import outer_rate


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_sine"], argv)
    methods.check(config)
    sine.run(config, __spec__.name, build, rival=without_agreement if config.compare else None)


def build(config) -> Method:
    """The learner, its optimizer and its training step."""

    def optimizer_of(variables):
        return sine.optimizer(config, outer_rate(config), variables)

    objective = OBJECTIVES[config.objective]
    return methods.make(config, sine.network(config), objective, optimizer_of, sine.mapping(config))


def build_learner(config, decision=None):
    """The learner of the options, not trained."""
    return build(config).learner


def without_agreement(config) -> Method:
    """The same with equal weights."""
    return build(dataclasses.replace(config, agreement=False))


if __name__ == "__main__":
    script.run(main)
