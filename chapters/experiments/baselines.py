"""What a meta-learned initialisation has to beat: joint training and random weights, fine-tuned."""

import keras
import tensorflow as tf

from chapters.engine.functional import add_scaled
from chapters.engine.per_task import call_tasks, copies
from chapters.engine.update import apply_gradients


class FineTuning(keras.Model):
    """Plain gradient descent on the support set of each task, from the network's weights.

    Args:
        network: built Keras model.
        objective: (y, prediction) -> loss [task].
        rate: of the descent.
    """

    def __init__(self, network, objective, rate):
        super().__init__()
        self.network, self.objective, self.rate = network, objective, rate
        self.test_steps = 0  # joint training is judged by what it has learned, without adapting
        self.built = True

    def adapt(self, support_x, support_y, steps):
        """Weights of each task after ``steps`` steps: list of [task, ...]."""
        weights = copies(self.network.trainable_variables, tf.shape(support_x)[0])
        for _ in range(steps):
            with tf.GradientTape() as tape:
                tape.watch(weights)
                losses = self.objective(support_y, self.predict_with(weights, support_x))
            weights = add_scaled(weights, -self.rate, tape.gradient(losses, weights))
        return weights

    def predict_with(self, weights, query_x, support_x=None):
        """Predictions [task, query, out]; ``support_x`` as for any learner."""
        return call_tasks(self.network, weights, query_x, normalise_by=support_x)

    def call(self, inputs, training=False):
        """Predictions without any adaptation: what joint training improves."""
        return self.predict_with(self.adapt(inputs["support_x"], None, 0), inputs["query_x"])


def joint_step(learner: FineTuning, optimizer):
    """Ordinary training on the query points of all tasks at once, as if they were one task."""

    def step(batch):
        inputs, query_y = batch
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(learner.objective(query_y, learner(inputs)))
        variables = learner.trainable_variables
        apply_gradients(optimizer, loss, tape.gradient(loss, variables), variables)
        return {"loss": loss}

    return step
