"""From the options of a script to a learner and its training step; the same for all scripts."""

import keras

from chapters.ch07_meta_sgd_reptile import meta_sgd, plots, reptile
from chapters.experiments.adaptation import Method
from chapters.experiments.options import outer_rate


def outer_optimizer(config, variables) -> keras.Optimizer:
    """Adam for Meta-SGD, built; plain SGD for Reptile, with epsilon as its rate."""
    kind = keras.optimizers.SGD if config.method == "reptile" else keras.optimizers.Adam
    optimizer = kind(outer_rate(config))
    optimizer.build(variables)
    return optimizer


def make(
    config, network, objective, mapping, optimizer_of=outer_optimizer, batch_norm="transductive"
) -> Method:
    """The learner of ``--method``, its optimizer and its training step.

    Args:
        config: ``MethodOptions`` together with the options of an experiment.
        network: built Keras model.
        objective: (y, prediction) -> loss [task].
        mapping: one of ``chapters.engine.mapping.MODES``.
        optimizer_of: (options, variables) -> built Keras optimizer.
        batch_norm: of Meta-SGD's queries in training; Reptile trains on its support set alone.
    """
    if config.method == "reptile":
        learner = reptile.Reptile(
            network,
            objective,
            config.inner_rate,
            config.inner_steps,
            config.inner_batch,
            config.inner_optimizer,
            config.test_steps,
            config.test_batch,
        )
        optimizer = optimizer_of(config, learner.trainable_variables)
        step = reptile.train_step(learner, optimizer, mapping, config.seed)
        return Method("Reptile", learner, optimizer, step)
    learner = meta_sgd.MetaSGD(
        network,
        objective,
        config.rate or None,
        config.inner_steps,
        config.test_steps,
        config.first_order,
        batch_norm,
    )
    optimizer = optimizer_of(config, learner.trainable_variables)
    step = meta_sgd.train_step(learner, optimizer, mapping)
    pictures = {"rates": lambda: plots.rates(learner.learned_rates())}
    name = "first-order Meta-SGD" if config.first_order else "Meta-SGD"
    return Method(name, learner, optimizer, step, pictures)
