"""The book's toy problem of sections 6.5 (MAML) and 6.7 (ADML), mended.

python -m chapters.ch06_maml.train_toy
python -m chapters.ch06_maml.train_toy --preset book_adml
python -m chapters.ch06_maml.train_toy --as-printed       # the book's labels: nothing to learn
"""

import keras

from chapters.ch06_maml import adml, maml
from chapters.ch06_maml.presets import SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.objectives import binary_cross_entropy
from chapters.experiments import toy
from chapters.experiments.adaptation import Method
from chapters.experiments.options import outer_rate


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_toy"], argv)
    toy.run(config, __spec__.name, build)


def build(config) -> Method:
    """The learner of ``--method``, its optimizer and its training step."""
    shared = {"inner_steps": config.inner_steps, "test_steps": config.test_steps}
    network, rate = toy.network(), config.inner_rate
    if config.method == "adml":
        attack = {"epsilon": config.epsilon, "pairing": config.pairing}
        learner = adml.ADML(network, binary_cross_entropy, rate, **attack, **shared)
        name, module = "ADML", adml
    else:
        learner = maml.MAML(network, binary_cross_entropy, rate, **shared)
        name, module = "MAML", maml
    optimizer = keras.optimizers.Adam(outer_rate(config))
    optimizer.build(learner.trainable_variables)
    step = module.train_step(learner, optimizer, toy.mapping(config))
    return Method(name, learner, optimizer, step)


if __name__ == "__main__":
    script.run(main)
