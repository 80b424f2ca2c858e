"""What a meta-learned initialisation has to beat: joint training and random weights, fine-tuned.

Both are fine-tuned at the rate that suits them best on validation curves.
"""

import keras
import numpy as np
import tensorflow as tf

from chapters.engine.functional import add_scaled
from chapters.engine.learner import GradientLearner
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from chapters.experiments.options import shown_steps
from chapters.experiments.sine.tasks import VALIDATION_TASKS
from chapters.experiments.sine.testing import error_after
from chapters.experiments.sine.training import loop
from datasets.tasks.sinusoid import SineTasks

JOINT, RANDOM = "joint training", "random weights"
RATES = (0.001, 0.003, 0.01, 0.03, 0.1)  # of the baselines; validation curves choose


@keras.saving.register_keras_serializable(__package__)
class FineTuning(GradientLearner):
    """Plain gradient descent on the support set of each task, from the network's weights.

    Args:
        network: built Keras model.
        objective: (y, prediction) -> loss [task].
        rate: of the descent.
        options: of ``keras.Model``.
    """

    CONFIG = ("rate",)

    def __init__(self, network, objective, rate, **options):
        # Joint training is judged by what it has learned, without adapting.
        super().__init__(network, objective, inner_steps=0, **options)
        self.rate = rate

    def inner_step(self, weights, support_x, support_y):
        """One step of the descent: list of [task, ...] -> the same."""
        with tf.GradientTape() as tape:
            tape.watch(weights)
            losses = self.objective(support_y, self.predict_with(weights, support_x))
        return add_scaled(weights, -self.rate, tape.gradient(losses, weights))


def joint_step(learner: FineTuning, optimizer):
    """Ordinary training on the query points of all tasks at once, as if they were one task."""

    def step(batch, seed=None):
        inputs, query_y = batch
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(learner.objective(query_y, learner(inputs)))
        variables = learner.trainable_variables
        apply_gradients(optimizer, loss, tape.gradient(loss, variables), variables)
        return {"loss": loss}

    return step


def baselines(networks, objective, training, validation, run: RunFolder, config) -> dict:
    """Two networks that were not meta-learned, fine-tuned as suits them best: name -> learner.

    Args:
        networks: two with first weights of their own; the first is trained jointly.
        objective: (y, prediction) -> loss [task].
        training, validation: curves.
        run: folder of the run.
        config: options of the run.
    """
    print("\nJoint training of the same network on the same curves, to compare with.")
    joint, random = (FineTuning(network, objective, 0.0) for network in networks)
    adam = keras.optimizers.Adam(1e-3)
    adam.build(joint.trainable_variables)
    step = joint_step(joint, adam)
    # It has no inner loop that could diverge.
    loop(step, joint, adam, training, validation, run.sub("joint"), config, explain=None)()
    for learner in (joint, random):
        choose_rate(learner, validation, max(shown_steps(config)))
    print(f"Fine-tuned at rates {joint.rate:g} and {random.rate:g}, best on validation curves.")
    return {JOINT: joint, RANDOM: random}


def choose_rate(learner: FineTuning, validation: SineTasks, steps: int) -> None:
    """Fine-tune at the rate with the smallest error on validation curves."""
    found = {}
    for rate in RATES:
        learner.rate = rate
        with np.errstate(invalid="ignore"):  # a rate may be too high
            found[rate] = error_after(learner, validation, steps, VALIDATION_TASKS)().mean
    learner.rate = min(found, key=lambda rate: np.nan_to_num(found[rate], nan=np.inf))
