"""The book's toy problem of section 7.4 (Meta-SGD), mended.

python -m chapters.ch07_meta_sgd_reptile.train_toy
python -m chapters.ch07_meta_sgd_reptile.train_toy --as-printed   # the book's labels: nothing there
"""

from chapters.ch07_meta_sgd_reptile import methods
from chapters.ch07_meta_sgd_reptile.presets import SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.objectives import binary_cross_entropy
from chapters.experiments import toy
from chapters.experiments.adaptation import Method


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_toy"], argv)
    toy.run(config, __spec__.name, build)


def build(config) -> Method:
    """The learner of ``--method``, its optimizer and its training step."""
    return methods.make(config, toy.network(), binary_cross_entropy, toy.mapping(config))


if __name__ == "__main__":
    script.run(main)
