"""From the options of a script to its learner, tasks, optimizer and outer step."""

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
from chapters.experiments.options import outer_rate


def check(config) -> None:
    """ConfigError unless some tasks are no outliers, and there is something to compare."""
    if getattr(config, "compare", False) and not config.agreement:
        raise ConfigError("--no-agreement is what --compare compares with; add --no-compare.")
    if config.outliers >= config.tasks:
        raise ConfigError(
            f"--outliers is {config.outliers}; it must be less than --tasks, {config.tasks}."
        )


def build(config, network, objective, batch_norm: str = "transductive") -> GradientAgreement:
    """The learner of the options, not trained.

    Args:
        config: ``AgreementOptions`` together with the options of an experiment.
        network: built Keras model.
        objective: (y, prediction) -> loss [task].
        batch_norm: of the queries in training.
    """
    return GradientAgreement(
        network,
        objective,
        config.inner_rate,
        config.inner_steps,
        config.test_steps,
        config.first_order,
        batch_norm,
    )


def training_tasks(config, sampler):
    """The tasks of ``sampler``, the last ``--outliers`` of every batch spoilt."""
    return Outliers(sampler, config.outliers) if config.outliers else sampler


def outer_optimizer(config, variables) -> keras.Optimizer:
    """Adam, or plain steps towards adapted weights; built."""
    kind = {"maml": keras.optimizers.Adam, "reptile": keras.optimizers.SGD}[config.base]
    optimizer = kind(outer_rate(config))
    optimizer.build(variables)
    return optimizer


def outer_step(config, learner, optimizer, mapping):
    """The training step of ``--base``, weighted as ``--agreement`` says."""
    train_step = {"maml": maml_step, "reptile": reptile_step}[config.base]
    weigh = agreement_weights if config.agreement else equal_weights
    return train_step(learner, optimizer, mapping, weigh, config.outliers)


def name_of(config) -> str:
    """The method as tables call it."""
    name = {"maml": "MAML", "reptile": "Reptile"}[config.base]
    name = f"FO{name}" if config.first_order and config.base == "maml" else name
    name = f"GA-{name}" if config.agreement else name
    return f"{name}, {config.outliers / config.tasks:.0%} outliers" if config.outliers else name


def draw(run, history, learner, training, config) -> None:
    """How much tasks counted: over the training, and in the batch that would come next."""
    if not config.agreement:
        return
    over_training = plots.weights_over_training(history, config.tasks, config.outliers)
    run.figure("weights_over_training", over_training)
    inputs, _ = training(history[-1]["step"])
    weights = learner.agreement(inputs).numpy()
    run.figure("weights_of_batch", plots.weights_of_batch(weights, config.outliers))
