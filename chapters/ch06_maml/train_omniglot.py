"""Train MAML, first-order MAML, ADML or CAML on few-shot images and test on classes never seen.

python -m chapters.ch06_maml.train_omniglot                       # generated characters
python -m chapters.ch06_maml.train_omniglot --preset maml_5way    # Omniglot, 5-way 1-shot
python -m chapters.ch06_maml.train_omniglot --data FOLDER         # your own class folders
"""

import keras

from chapters.ch06_maml import maml
from chapters.ch06_maml.presets import PUBLISHED, SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.objectives import cross_entropy
from chapters.experiments import adaptation
from chapters.experiments.adaptation import Method
from chapters.experiments.options import outer_rate


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_omniglot"], argv)
    adaptation.run(config, __spec__.name, build, PUBLISHED)


def build(config, image_shape) -> Method:
    """The learner of ``--method``, its optimizer and its training step."""
    mapping = adaptation.mapping(config)
    network = adaptation.network(config, image_shape)
    name = "FOMAML" if config.first_order else "MAML"
    learner = maml.MAML(
        network,
        cross_entropy,
        config.inner_rate,
        config.inner_steps,
        config.test_steps,
        config.first_order,
        config.batch_norm,
    )
    optimizer = keras.optimizers.Adam(outer_rate(config))
    optimizer.build(learner.trainable_variables)
    return Method(name, learner, optimizer, maml.train_step(learner, optimizer, mapping))


if __name__ == "__main__":
    script.run(main)
