"""The book's toy problem of section 8.4, mended.

python -m chapters.ch08_gradient_agreement.train_toy                   # ten tasks per batch
python -m chapters.ch08_gradient_agreement.train_toy --preset book     # two, as in the book
python -m chapters.ch08_gradient_agreement.train_toy --outliers 1
python -m chapters.ch08_gradient_agreement.train_toy --as-printed      # the book's coin flips
"""

from chapters.ch08_gradient_agreement import methods
from chapters.ch08_gradient_agreement.presets import SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.objectives import binary_cross_entropy
from chapters.experiments import toy
from chapters.experiments.adaptation import Method


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_toy"], argv)
    methods.check(config)
    toy.run(config, __spec__.name, build)


def build(config) -> Method:
    """The learner, its optimizer and its training step."""
    network, mapping, optimizer = toy.network(), toy.mapping(config), methods.optimizer(config)
    return methods.make(config, network, binary_cross_entropy, optimizer, mapping)


if __name__ == "__main__":
    script.run(main)
