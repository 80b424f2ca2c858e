"""From the options of a script to a learner and its training step; the same for all scripts."""

import functools

import keras

from chapters.ch08_gradient_agreement import plots
from chapters.ch08_gradient_agreement.gradient_agreement import (
    GradientAgreement,
    agreement_weights,
    equal_weights,
    maml_step,
    reptile_step,
)
from chapters.ch08_gradient_agreement.outliers import Outliers
from chapters.engine.errors import ConfigError
from chapters.experiments.adaptation import Method
from chapters.experiments.options import outer_rate


def check(config) -> None:
    """ConfigError unless some tasks of a batch are not odd."""
    if config.outliers >= config.tasks:
        raise ConfigError(
            f"--outliers is {config.outliers}; it must be less than --tasks, {config.tasks}."
        )


def make(config, network, objective, optimizer_of, mapping) -> Method:
    """GradientAgreement with the step of ``--base``, weighted as ``--agreement`` says.

    Args:
        config: ``AgreementOptions`` together with the options of an experiment.
        network: built Keras model.
        objective: (y, prediction) -> loss [task].
        optimizer_of: variables -> built Keras optimizer.
        mapping: one of ``chapters.engine.mapping.MODES``.
    """
    learner = GradientAgreement(
        network,
        objective,
        config.inner_rate,
        config.inner_steps,
        config.test_steps,
        config.first_order,
        getattr(config, "batch_norm", "transductive"),
    )
    optimizer = optimizer_of(learner.trainable_variables)
    train_step = {"maml": maml_step, "reptile": reptile_step}[config.base]
    weigh = agreement_weights if config.agreement else equal_weights
    step = train_step(learner, optimizer, mapping, weigh, config.outliers)
    corrupt = functools.partial(Outliers, count=config.outliers) if config.outliers else None
    return Method(
        name_of(config),
        learner,
        optimizer,
        step,
        training_pictures=_pictures(config, learner) if config.agreement else {},
        corrupt=corrupt,
    )


def optimizer(config):
    """Variables -> their outer optimizer: Adam, or plain steps towards adapted weights."""
    kind = {"maml": keras.optimizers.Adam, "reptile": keras.optimizers.SGD}[config.base]

    def of(variables):
        made = kind(outer_rate(config))
        made.build(variables)
        return made

    return of


def name_of(config) -> str:
    """The method as tables call it."""
    name = {"maml": "MAML", "reptile": "Reptile"}[config.base]
    name = f"FO{name}" if config.first_order and config.base == "maml" else name
    name = f"GA-{name}" if config.agreement else name
    return f"{name}, {config.outliers / config.tasks:.0%} odd" if config.outliers else name


def _pictures(config, learner):
    odd = config.outliers

    def over_training(history, _):
        return plots.weights_over_training(history, config.tasks, odd)

    def of_a_batch(history, training):
        inputs, _ = training(history[-1]["step"])  # the batch that would come next
        return plots.weights_of_batch(learner.agreement(inputs).numpy(), odd)

    return {"weights_over_training": over_training, "weights_of_batch": of_a_batch}
