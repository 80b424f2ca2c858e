"""Meta-imitation (Finn, Yu et al., 2017; sections 9.3 and 9.4 of the book), and its form without
actions (Yu et al., 2018: domain-adaptive meta-learning, DAML).

MAML for demonstrations: weights from which one gradient step on one demonstration gives a policy
for a new task. Both loops clone behaviour; no reward and no policy gradient is used (E9.6).
"""

import keras
import tensorflow as tf
from keras import layers

from chapters.ch09_frontiers.losses import squared_error
from chapters.ch09_frontiers.visuomotor import Imitator
from chapters.engine.functional import add_scaled
from chapters.engine.per_task import call_per_task, over_items, repeat_for_tasks
from chapters.engine.update import apply_gradients


@keras.saving.register_keras_serializable(__package__)
class MetaImitation(Imitator):
    """A policy that takes gradient steps on a demonstration before it acts.

    What the steps change are the hidden layers, the vector z beside their input, and with
    ``adapt_eyes`` the eyes. The heads are learned in the outer loop alone.

    Args:
        eyes, control, head, horizon: of ``Imitator``; ``control`` takes features and z.
        judge: what the inner loss is of: a second head for actions, so that the loss of a
            demonstration is learned too (paper, section 4.2); ``TemporalLoss``; or None, the head.
        bias: numbers of z, which makes the first layer's bias as good as two weights (paper,
            section 5.1); it begins at 0.
        inner_rate: alpha.
        inner_steps: gradient steps on a demonstration.
        clip: largest size of a number of the inner gradient; 0 takes it as it is.
        adapt_eyes: whether the eyes are adapted as well.
        learn_rates: a rate for every weight, learned as in Meta-SGD (chapter 7); alpha is where
            they begin.
        options: of ``keras.Model``.
    """

    PARTS = (*Imitator.PARTS, "judge")
    CONFIG = (
        *Imitator.CONFIG,
        "bias",
        "inner_rate",
        "inner_steps",
        "clip",
        "adapt_eyes",
        "learn_rates",
    )

    def __init__(
        self,
        eyes,
        control,
        head,
        horizon,
        judge=None,
        bias=20,
        inner_rate=0.1,
        inner_steps=1,
        clip=10.0,
        adapt_eyes=False,
        learn_rates=False,
        **options,
    ):
        super().__init__(eyes, control, head, horizon, **options)
        self.judge, self.bias, self.clip = judge, bias, clip
        self.inner_rate, self.inner_steps, self.adapt_eyes = inner_rate, inner_steps, adapt_eyes
        self.z = self.add_weight(shape=[bias], initializer="zeros", name="z")
        self.learn_rates, alpha = learn_rates, keras.initializers.Constant(inner_rate)
        self.rates = [
            self.add_weight(shape=variable.shape, initializer=alpha, name=f"rate_{number}")
            for number, variable in enumerate(self.parameters() if learn_rates else [])
        ]

    def parameters(self) -> list:
        """What is adapted, as variables: z, hidden layers, and eyes where they are."""
        eyes = self.eyes.trainable_variables if self.adapt_eyes else []
        return [self.z, *self.control.trainable_variables, *eyes]

    def start(self, tasks):
        """theta, once per task: list of [task, ...]."""
        return repeat_for_tasks(self.parameters(), tasks)

    def hidden(self, weights, observation):
        """What policies with these weights make of observations: [task, item, unit]."""
        z, *others = weights
        count = len(self.control.trainable_variables)
        control, eyes = others[:count], others[count:]
        if self.adapt_eyes:
            seen = call_per_task(self.eyes, eyes, observation)
        else:
            seen = self.see(observation)  # [task, item, feature]
        beside = tf.tile(z[:, None], [1, tf.shape(seen)[1], 1])  # [task, item, bias]
        return call_per_task(self.control, control, tf.concat([seen, beside], axis=-1))

    def inner_loss(self, weights, support_x, support_y):
        """Of the demonstrations: [task]. With a learned loss their actions are not looked at."""
        hidden = self.hidden(weights, support_x)
        if isinstance(self.judge, TemporalLoss):
            return self.judge(self.by_time(hidden))
        # L_Ti(f_theta) = sum_t |f_theta(o_t) - a_t|^2 from o_1 on (E9.7), as a mean
        return squared_error(support_y, over_items(self.judge or self.head, hidden))

    def inner_step(self, weights, support_x, support_y):
        """One gradient step on the demonstrations of each task: list of [task, ...]."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            losses = self.inner_loss(weights, support_x, support_y)  # [task]
        gradients = tape.gradient(losses, weights)  # of the sum: each task has its own weights
        if self.clip:
            gradients = [tf.clip_by_value(one, -self.clip, self.clip) for one in gradients]
        # theta'_i = theta - alpha grad_theta L_Ti(f_theta), alpha a number or one for every weight
        if self.rates:
            gradients = [rate * one for rate, one in zip(self.rates, gradients, strict=True)]
            return add_scaled(weights, -1.0, gradients)
        return add_scaled(weights, -self.inner_rate, gradients)

    def adapt(self, support_x, support_y):
        """Weights after the inner steps: list of [task, ...]."""
        weights = self.start(tf.shape(support_x)[0])
        weights = [tf.ensure_shape(w, [support_x.shape[0], *w.shape[1:]]) for w in weights]
        for _ in range(self.inner_steps):
            weights = self.inner_step(weights, support_x, support_y)
        return weights

    def predict_with(self, adapted, query_x):
        """Actions [task, query, action]."""
        return over_items(self.head, self.hidden(adapted, query_x))


@keras.saving.register_keras_serializable(__package__)
class TemporalLoss(keras.Model):
    """A loss that is learned: convolutions over time of what the policy makes of a demonstration.

    What it should be is judged by the outer loss alone, so it needs no actions, and may be of the
    video of another arm (Yu et al., 2018, section 4.2). [task, shot, time, unit] -> [task].

    Args:
        units: of the policy's last hidden layer.
        filters, width: of three convolutions over time.
        options: of ``keras.Model``.
    """

    def __init__(self, units, filters=32, width=10, **options):
        super().__init__(**options)
        self.units, self.filters, self.width = units, filters, width
        self.network = keras.Sequential(
            [
                layers.Input((None, units)),
                layers.Conv1D(filters, width, padding="same", activation="relu"),
                layers.Conv1D(filters, width, padding="same", activation="relu"),
                layers.Conv1D(filters, width, padding="same"),
            ]
        )
        self.built = True

    def call(self, hidden):
        """|convolutions of h_1 ... h_T|^2, a mean over time and filters."""
        told = over_items(self.network, hidden)  # [task, shot, time, filter]
        return tf.reduce_mean(told**2, axis=[1, 2, 3])

    def get_config(self):
        own = {"units": self.units, "filters": self.filters, "width": self.width}
        return {**super().get_config(), **own}


def train_step(policy, optimizer):
    """The outer step of every policy here: ``step(batch)`` -> loss, the mean over the tasks.

    Args:
        policy: ``Imitator``; how it takes in a demonstration is its own affair.
        optimizer: of ``policy.trainable_variables``.
    """

    def step(batch, seed=None):
        inputs, query_y = batch
        variables = policy.trainable_variables
        with tf.GradientTape() as tape:
            action = policy(inputs, training=True)  # [task, query, action]
            # L_Ti(f_theta'_i), on another demonstration of the same task
            loss = tf.reduce_mean(squared_error(query_y, action))
        # theta <- theta - beta grad_theta sum_i L_Ti(f_theta'_i)
        apply_gradients(optimizer, loss, tape.gradient(loss, variables), variables)
        return {"loss": loss}

    return step
