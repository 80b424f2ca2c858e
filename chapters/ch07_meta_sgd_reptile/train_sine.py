"""Learn to fit a sine curve from a few points, with Meta-SGD or Reptile.

python -m chapters.ch07_meta_sgd_reptile.train_sine                           # Meta-SGD
python -m chapters.ch07_meta_sgd_reptile.train_sine --preset meta_sgd_5shot   # as in its paper
python -m chapters.ch07_meta_sgd_reptile.train_sine --preset reptile          # as its authors did
python -m chapters.ch07_meta_sgd_reptile.train_sine --preset book_reptile     # section 7.7, mended
"""

from chapters.ch07_meta_sgd_reptile import methods
from chapters.ch07_meta_sgd_reptile.presets import PUBLISHED_SINE, SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.objectives import OBJECTIVES
from chapters.experiments import sine
from chapters.experiments.adaptation import Method
from chapters.experiments.options import outer_rate


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_sine"], argv)
    sine.run(config, __spec__.name, build, PUBLISHED_SINE.get(config.preset))


def build(config) -> Method:
    """The learner of ``--method``, its optimizer and its training step."""

    def optimizer_of(config, variables):
        return sine.optimizer(config, outer_rate(config), variables)

    objective = OBJECTIVES[config.objective]
    return methods.make(config, sine.network(config), objective, sine.mapping(config), optimizer_of)


def build_learner(config, decision=None):
    """The learner of the options, not trained."""
    return build(config).learner


if __name__ == "__main__":
    script.run(main)
