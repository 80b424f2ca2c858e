"""Train Meta-SGD or Reptile on few-shot images and test on classes never seen.

python -m chapters.ch07_meta_sgd_reptile.train_omniglot                         # generated images
python -m chapters.ch07_meta_sgd_reptile.train_omniglot --preset meta_sgd_5way  # Omniglot
python -m chapters.ch07_meta_sgd_reptile.train_omniglot --preset reptile_5way
python -m chapters.ch07_meta_sgd_reptile.train_omniglot --data FOLDER           # class folders
"""

from chapters.ch07_meta_sgd_reptile import methods
from chapters.ch07_meta_sgd_reptile.presets import PUBLISHED, SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.objectives import cross_entropy
from chapters.experiments import adaptation, images
from chapters.experiments.adaptation import Method


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_omniglot"], argv)
    adaptation.run(config, __spec__.name, build, PUBLISHED)


def build(config, image_shape) -> Method:
    """The learner of ``--method``, its optimizer and its training step."""
    network, mapping = adaptation.network(config, image_shape), adaptation.mapping(config)
    return methods.make(config, network, cross_entropy, mapping, batch_norm=config.batch_norm)


def build_learner(config, decision=None):
    """The learner of the options, not trained."""
    return build(config, images.item_shape(config)).learner


if __name__ == "__main__":
    script.run(main)
