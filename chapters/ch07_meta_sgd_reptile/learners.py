"""From the options of a script to its learner, optimizer and outer step."""

import keras

from chapters.ch07_meta_sgd_reptile import meta_sgd, reptile
from chapters.experiments.options import outer_rate


def build(config, network, objective, batch_norm: str = "transductive"):
    """The learner of ``--method``, not trained.

    Args:
        config: ``MethodOptions`` together with the options of an experiment.
        network: built Keras model.
        objective: (y, prediction) -> loss [task].
        batch_norm: of Meta-SGD's queries in training; Reptile trains on its support set alone.
    """
    if config.method == "reptile":
        return reptile.Reptile(
            network,
            objective,
            config.inner_rate,
            config.inner_steps,
            config.inner_batch,
            config.inner_optimizer,
            config.test_steps,
            config.test_batch,
            config.keep_moments,
        )
    return meta_sgd.MetaSGD(
        network,
        objective,
        config.rate or None,
        config.inner_steps,
        config.test_steps,
        config.first_order,
        batch_norm,
    )


def outer_optimizer(config, variables) -> keras.Optimizer:
    """Adam for Meta-SGD, built; plain SGD for Reptile, with epsilon as its rate."""
    kind = keras.optimizers.SGD if config.method == "reptile" else keras.optimizers.Adam
    optimizer = kind(outer_rate(config))
    optimizer.build(variables)
    return optimizer


def outer_step(config, learner, optimizer, mapping):
    """The training step of ``--method``; ``mapping`` as in ``chapters.engine.mapping.MODES``."""
    if config.method == "reptile":
        return reptile.train_step(learner, optimizer, mapping)
    return meta_sgd.train_step(learner, optimizer, mapping)


def name_of(config) -> str:
    """The method as tables call it."""
    if config.method == "reptile":
        return "Reptile, kept moments" if config.keep_moments else "Reptile"
    return "first-order Meta-SGD" if config.first_order else "Meta-SGD"
