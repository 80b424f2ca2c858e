"""Train MAML or Reptile with gradient agreement on few-shot images; test on classes never seen.

python -m chapters.ch08_gradient_agreement.train_omniglot                        # generated images
python -m chapters.ch08_gradient_agreement.train_omniglot --preset ga_maml_5way  # Omniglot
python -m chapters.ch08_gradient_agreement.train_omniglot --data FOLDER          # class folders
"""

from chapters.ch08_gradient_agreement import methods
from chapters.ch08_gradient_agreement.presets import SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.objectives import cross_entropy
from chapters.experiments import adaptation, images
from chapters.experiments.adaptation import Method


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_omniglot"], argv)
    methods.check(config)
    adaptation.run(config, __spec__.name, build, published={})


def build(config, image_shape) -> Method:
    """The learner, its optimizer and its training step."""
    network, mapping = adaptation.network(config, image_shape), adaptation.mapping(config)
    return methods.make(config, network, cross_entropy, methods.optimizer(config), mapping)


def build_learner(config, decision=None):
    """The learner of the options, not trained."""
    return build(config, images.item_shape(config)).learner


if __name__ == "__main__":
    script.run(main)
