"""From the options of a script to the learner that adapts to images."""

from chapters.ch09_frontiers import maml, networks
from chapters.ch09_frontiers.losses import cross_entropy
from chapters.experiments import images


def build_learner(config):
    """MAML with the network of the options, not trained."""
    shape = images.item_shape(config)
    if config.network == "dense4":
        network = networks.dense4(shape, config.way)
    else:
        network = networks.conv4(shape, config.way, config.filters)
    return maml.MAML(
        network,
        cross_entropy,
        config.inner_rate,
        config.inner_steps,
        config.test_steps,
        config.first_order,
        config.batch_norm,
    )
