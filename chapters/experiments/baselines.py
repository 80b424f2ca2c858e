"""What a meta-learned initialisation has to beat: joint training and random weights, fine-tuned."""

import keras
import tensorflow as tf

from chapters.engine.functional import add_scaled
from chapters.engine.learner import GradientLearner
from chapters.engine.update import apply_gradients


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
