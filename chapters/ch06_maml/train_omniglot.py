"""Train MAML, first-order MAML, ADML or CAML on few-shot images and test on classes never seen.

python -m chapters.ch06_maml.train_omniglot                       # generated characters
python -m chapters.ch06_maml.train_omniglot --preset maml_5way    # Omniglot, 5-way 1-shot
python -m chapters.ch06_maml.train_omniglot --data FOLDER         # your own class folders
"""

import keras

from chapters.ch06_maml import adml, caml, maml
from chapters.ch06_maml.presets import PUBLISHED, SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.objectives import cross_entropy
from chapters.experiments import adaptation, images
from chapters.experiments.adaptation import Method
from chapters.experiments.options import outer_rate


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_omniglot"], argv)
    adaptation.run(config, __spec__.name, build, PUBLISHED)


def build(config, image_shape) -> Method:
    """The learner of ``--method``, its optimizer and its training step."""
    if config.method == "caml":
        network = caml.image_network(image_shape, config.way, config.context, config.filters)
    else:
        network = adaptation.network(config, image_shape)
    shared = {
        "inner_steps": config.inner_steps,
        "test_steps": config.test_steps,
        "first_order": config.first_order,
        "batch_norm": config.batch_norm,
    }
    if config.method == "caml":
        learner, module = caml.CAML(network, cross_entropy, config.inner_rate, **shared), caml
    elif config.method == "adml":
        attack = {"epsilon": config.epsilon, "pairing": config.pairing}
        learner = adml.ADML(network, cross_entropy, config.inner_rate, **attack, **shared)
        module = adml
    else:
        learner, module = maml.MAML(network, cross_entropy, config.inner_rate, **shared), maml
    optimizer = keras.optimizers.Adam(outer_rate(config))
    optimizer.build(learner.trainable_variables)
    step = module.train_step(learner, optimizer, adaptation.mapping(config))
    return Method(name_of(config), learner, optimizer, step)


def build_learner(config, decision=None):
    """The learner of the options, not trained."""
    return build(config, images.item_shape(config)).learner


def name_of(config) -> str:
    """The method as tables call it."""
    name = {"maml": "MAML", "adml": "ADML", "caml": "CAML"}[config.method]
    if config.method == "maml" and config.first_order:
        name = "FOMAML"
    return f"{name}, dense" if config.network == "dense4" else name


if __name__ == "__main__":
    script.run(main)
