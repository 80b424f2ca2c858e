"""Reptile (Nichol, Achiam and Schulman, 2018; sections 7.5 to 7.7 of the book).

Reptile trains on a task for a few steps and moves theta part of the way to where it got. Nothing is
differentiated through the inner loop, and no query set is needed. What sets it apart from joint
training are several inner steps on different minibatches: in expectation they also raise the inner
products of the minibatches' gradients. With one inner step it is joint training (E7.9).

Every tensor has a leading task axis: tasks adapt side by side, each with weights of its own.
"""

import keras
import tensorflow as tf

from chapters.engine.functional import add_scaled, as_tensors, interpolate
from chapters.engine.learner import GradientLearner
from chapters.engine.mapping import mean_over_tasks
from chapters.engine.per_task import repeat_for_tasks
from chapters.engine.tasks import checked_support
from chapters.engine.update import apply_gradients
from datasets.tasks import draws

OPTIMIZERS = ("sgd", "adam")
BETA2, EPSILON = 0.999, 1e-8  # Adam's, with beta1 = 0


@keras.saving.register_keras_serializable(__package__)
class Reptile(GradientLearner):
    """A network that is trained on the support set of each task before it predicts.

    Call it with ``support_x`` [task, support, ...], ``support_y`` [task, support] (labels) or
    [task, support, out] (targets) and ``query_x`` [task, query, ...]; it returns the predictions
    [task, query, out]. Its only weights are the network's, theta.

    Adam begins each task with fresh second moments, so that a task is solved in the same way
    whatever came before it (E7.12). Its first step moves every weight by the whole rate, however
    small the gradient. With ``keep_moments`` the moments and the count of steps pass from task to
    task, as in the reference implementation: where gradients become smaller, steps do.

    Args:
        network: built Keras model, [item, ...] -> [item, out].
        objective: (y, prediction) -> loss [task], see ``losses``.
        inner_rate: of the inner optimizer.
        inner_steps: inner steps in training.
        inner_batch: items of a minibatch in training; 0 for the whole support set.
        inner_optimizer: "sgd", or "adam" with beta1 = 0 as in the reference implementation.
        test_steps: inner steps otherwise; as in training when None.
        test_batch: items of a minibatch otherwise; as in training when None.
        keep_moments: a task begins with the second moments that training has come to, and so does
            a test; they are weights of the learner, not trained. Tasks of one outer step begin with
            the same ones and their mean is kept; the reference takes task after task.
        options: of ``keras.Model``.

    Raises:
        ValueError: unknown inner optimizer, or moments of SGD, which has none.
    """

    CONFIG = (
        "inner_rate", "inner_steps", "inner_batch", "inner_optimizer", "test_steps", "test_batch",
        "keep_moments",
    )  # fmt: skip
    NOT_BY_FIT = "moves towards adapted weights instead of following a gradient"

    def __init__(
        self,
        network,
        objective,
        inner_rate,
        inner_steps,
        inner_batch=0,
        inner_optimizer="sgd",
        test_steps=None,
        test_batch=None,
        keep_moments=False,
        **options,
    ):
        super().__init__(network, objective, inner_steps, test_steps, **options)
        if inner_optimizer not in OPTIMIZERS:
            raise ValueError(
                f"inner_optimizer is {inner_optimizer!r}; it must be one of {', '.join(OPTIMIZERS)}"
            )
        if keep_moments and inner_optimizer == "sgd":
            raise ValueError("keep_moments is for inner_optimizer adam; sgd has no moments")
        self.inner_rate, self.inner_batch = inner_rate, inner_batch
        self.inner_optimizer = inner_optimizer
        self.test_batch = inner_batch if test_batch is None else test_batch
        self.keep_moments = keep_moments
        kept = network.trainable_variables if keep_moments else []
        self.moments = [self._kept(theta.shape, theta.dtype) for theta in kept]
        # A float, as all weights are: exact to 16 million steps, when it has long ceased to matter.
        self.steps_taken = self._kept((), "float32") if keep_moments else None

    def _kept(self, shape, dtype):
        return self.add_weight(shape=shape, dtype=dtype, initializer="zeros", trainable=False)

    def inner_step(self, number, weights, moments, x, y):
        """Step ``number`` (from 1) on one minibatch of each task: new weights and moments.

        Args:
            number: scalar tensor; steps that kept moments are made of count.
            weights: list of [task, ...].
            moments: Adam's second moments, like ``weights``; empty for SGD.
            x: [task, item, ...].
            y: [task, item, ...].
        """
        with tf.GradientTape() as tape:
            tape.watch(weights)
            losses = self.objective(y, self.predict_with(weights, x))  # [task]
        gradients = tape.gradient(losses, weights)  # of the sum: each task has its own weights
        if self.inner_optimizer == "sgd":
            # theta'_i <- theta'_i - alpha grad L_Ti(theta'_i)
            return add_scaled(weights, -self.inner_rate, gradients), moments
        # v <- beta2 v + (1 - beta2) g^2
        moments = interpolate(moments, [g**2 for g in gradients], 1 - BETA2)
        # theta'_i <- theta'_i - alpha sqrt(1 - beta2^number) g / (sqrt(v) + epsilon)
        directions = [
            tf.sqrt(1 - BETA2 ** tf.cast(number, g.dtype)) * g / (tf.sqrt(v) + EPSILON)
            for g, v in zip(gradients, moments, strict=True)
        ]
        return add_scaled(weights, -self.inner_rate, directions), moments

    def adapt(self, support_x, support_y, steps=None, size=None, seed=(0, 0)):
        """Weights of each task after ``steps`` inner steps: SGD^k(theta, T_i).

        Args and errors as for ``adapt_with_moments``, whose weights these are.
        """
        weights, _ = self.adapt_with_moments(support_x, support_y, steps, size, seed)
        return weights

    def adapt_with_moments(self, support_x, support_y, steps=None, size=None, seed=(0, 0)):
        """Weights of each task after ``steps`` inner steps, and Adam's second moments there.

        Args:
            support_x: [task, support, ...].
            support_y: [task, support] or [task, support, out].
            steps: Python integer; ``test_steps`` when None.
            size: items of a minibatch, 0 for all; ``test_batch`` when None.
            seed: int32 [2], of the order of the items.

        Returns:
            Two lists of [task, ...], in the order of ``network.trainable_variables``; the second
            one is empty for SGD. No gradient flows through them.

        Raises:
            RunError: the support set does not fit the network.
        """
        support_x, support_y = checked_support(self, support_x, support_y)
        steps = self.test_steps if steps is None else steps
        size = self.test_batch if size is None else size
        items = support_x.shape[1] or tf.shape(support_x)[1]
        order = minibatches(items, size or items, steps, seed)  # [step, item]
        weights = self.start(support_x)
        moments = self.first_moments(weights)
        before = tf.cast(self.steps_taken, tf.int32) if self.keep_moments else 0

        def step(number, weights, moments):
            x, y = (tf.gather(z, order[number], axis=1) for z in (support_x, support_y))
            return number + 1, *self.inner_step(before + number + 1, weights, moments, x, y)

        # No gradient leads back to theta. A loop in the graph: one copy of the step for any number.
        start = (tf.constant(0), [tf.stop_gradient(w) for w in weights], moments)
        _, weights, moments = tf.while_loop(
            lambda number, *_: number < steps, step, start, parallel_iterations=1
        )
        return weights, moments

    def first_moments(self, weights):
        """Second moments that each task begins with: like ``weights`` [task, ...]; none for SGD."""
        if self.keep_moments:
            return repeat_for_tasks(self.moments, tf.shape(weights[0])[0])
        return [tf.zeros_like(w) for w in weights] if self.inner_optimizer == "adam" else []

    def keep(self, moments) -> None:
        """Second moments, in the shapes of theta, for the tasks after a training step."""
        for variable, value in zip(self.moments, moments, strict=True):
            variable.assign(value)
        self.steps_taken.assign_add(float(self.inner_steps))

    def call(self, inputs, training=False):
        """Adapt as at test and predict the queries; transductive with ``training``.

        The training step does not come here, so ``training`` does not change the inner loop.
        """
        weights = self.adapt(inputs["support_x"], inputs["support_y"])
        return self.predict_queries(weights, inputs, training)

    def describe_rate(self) -> str:
        """The inner rate in words, for error messages."""
        return f"rate {self.inner_rate:g} of {self.inner_optimizer}"


def minibatches(items, size, steps, seed):
    """Positions of the items of each minibatch: [step, item].

    The items are shuffled, used up, and shuffled again, as in the reference implementation; a
    minibatch may reach over the seam. A function of its arguments alone, the same for all tasks of
    a batch.
    """
    rounds = -(-steps * size // items)
    shuffled = tf.math.top_k(draws.uniform([rounds, items], seed), items).indices  # [round, item]
    return tf.reshape(tf.reshape(shuffled, [-1])[: steps * size], [steps, size])


def train_step(learner, optimizer, mapping):
    """The outer step: ``step(batch, seed)`` -> loss and metrics, means over the tasks.

    They tell how well the adapted networks fit the support set they were trained on. Only this set
    is used; queries in the batch are ignored. One task per batch is the serial version, several are
    the batched one: a mean, and not one update after the other (E7.8, E7.13).

    Args:
        learner: Reptile.
        optimizer: of ``learner.trainable_variables``; ``keras.optimizers.SGD`` with epsilon, or a
            schedule of it, as its learning rate moves theta by that fraction.
        mapping: one of ``chapters.engine.mapping.MODES``.
    """

    def gradient(tasks, seed):
        inputs, _ = tasks
        x, y = inputs["support_x"], inputs["support_y"]
        # The seed of the step is that of the order of the minibatches.
        adapted, moments = learner.adapt_with_moments(
            x, y, learner.inner_steps, learner.inner_batch, seed
        )
        prediction = learner.predict_with(adapted, x)  # [task, support, out]
        # No tape: nothing is differentiated through the inner loop.
        pairs = zip(as_tensors(learner.trainable_variables), adapted, strict=True)
        moved = [tf.reduce_mean(theta - end, axis=0) for theta, end in pairs]
        kept = [tf.reduce_mean(v, axis=0) for v in moments] if learner.keep_moments else []
        losses = learner.objective(y, prediction)  # [task]
        return [*moved, *kept], {"loss": losses, **learner.task_metrics(y, prediction)}

    def step(batch, seed):
        # theta <- theta + epsilon (1/n) sum_i (theta'_i - theta);  v <- (1/n) sum_i v'_i
        means, metrics = mean_over_tasks(lambda tasks: gradient(tasks, seed), batch, mapping)
        theta = learner.trainable_variables
        moved, moments = means[: len(theta)], means[len(theta) :]
        apply_gradients(optimizer, metrics["loss"], moved, theta)
        if learner.keep_moments:
            learner.keep(moments)
        return metrics

    return step
