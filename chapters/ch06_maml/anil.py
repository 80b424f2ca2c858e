"""Almost no inner loop, ANIL (Raghu, Raghu, Bengio and Vinyals, 2020).

What MAML's inner loop changes is mostly the last layer: the features below it serve every task as
they are. ANIL adapts that layer alone, the head. The encoder below has the same weights in all
tasks, so it sees every image once, however many inner steps there are. The outer step is MAML's and
learns both: its gradient reaches the encoder through the features of the queries and, by way of the
adapted head, through those of the support set.

A head may begin at zero in every task instead of at learned weights. One inner step of
cross-entropy then compares a query with class means, as metric learning does:

    logit of class k = alpha / way <z_q, mean of class k - mean of the support set>
"""

import keras
import tensorflow as tf

from chapters.ch06_maml.maml import MAML
from chapters.engine.errors import RunError
from chapters.engine.functional import add_scaled
from chapters.engine.per_task import call_layers, layers_in_order, repeat_for_tasks, weights_of


@keras.saving.register_keras_serializable(__package__)
class ANIL(MAML):
    """A network whose last layers are adapted to each task before it predicts.

    Call it as MAML: ``support_x`` [task, support, ...], ``support_y`` [task, support] (labels) or
    [task, support, out] (targets) and ``query_x`` [task, query, ...] give predictions
    [task, query, out]. Its only weights are the network's; with all layers adapted it is MAML.

    Args:
        network: ``keras.Sequential`` of dense, convolution, pooling and activation layers,
            [item, ...] -> [item, out].
        objective: (y, prediction) -> loss [task], see ``losses``.
        inner_rate: alpha.
        adapted_layers: how many of the network's last layers are the head.
        zero_head: the head begins at zero in every task, and what the network has there is not
            used. A vector that all classes begin with would do the same: softmax does not see it.
        options: further ones of MAML.

    Raises:
        RunError: the network has no such head.
    """

    CONFIG = (*MAML.CONFIG, "adapted_layers", "zero_head")

    def __init__(
        self, network, objective, inner_rate, adapted_layers=1, zero_head=False, **options
    ):
        super().__init__(network, objective, inner_rate, **options)
        _check_head(network, adapted_layers, zero_head)
        self.adapted_layers, self.zero_head = adapted_layers, zero_head

    def split(self) -> tuple[list, list]:
        """Layers of the encoder, none where all are adapted, and layers of the head."""
        layers = layers_in_order(self.network)
        return layers[: -self.adapted_layers], layers[-self.adapted_layers :]

    def adapted_variables(self):
        """Weights of the head."""
        _, head = self.split()
        return weights_of(head)

    def start(self, support_x):
        """Weights of the head before the first inner step, once per task: list of [task, ...]."""
        weights = super().start(support_x)
        # Times zero, so that a gradient reaches the network's head: zero, which leaves it alone.
        return [0.0 * w for w in weights] if self.zero_head else weights

    def features(self, x, counted=None):
        """Features of the items of each task: [task, item, ...] -> [task, item, dim].

        Args:
            x: [task, item, ...].
            counted: items of each task, its first ones, whose statistics batch norm uses; all of
                them when None.
        """
        encoder, _ = self.split()
        weights = repeat_for_tasks(weights_of(encoder), tf.shape(x)[0])
        return call_layers(encoder, weights, x, counted)

    def features_together(self, support_x, query_x):
        """Features [task, support, dim] and [task, query, dim], by the support set's statistics."""
        counted = support_x.shape[1] or tf.shape(support_x)[1]
        z = self.features(tf.concat([support_x, query_x], axis=1), counted)
        return z[:, :counted], z[:, counted:]

    def call_head(self, weights, z, normalise_by=None):
        """Predictions from features: [task, item, dim] -> [task, item, out].

        Args:
            weights: of the head, list of [task, ...].
            z: [task, item, dim].
            normalise_by: features [task, other, dim] whose statistics batch norm in the head uses,
                if there is any; ``z`` itself when None.
        """
        _, head = self.split()
        if normalise_by is None:
            return call_layers(head, weights, z)
        counted = tf.shape(normalise_by)[1]
        both = tf.concat([normalise_by, z], axis=1)  # [task, other + item, dim]
        return call_layers(head, weights, both, counted)[:, counted:]  # [task, item, out]

    def inner_step(self, weights, support_z, support_y):
        """One gradient step of the head on the features of each task's support set."""
        with tf.GradientTape() as tape:
            tape.watch(weights)
            losses = self.objective(support_y, self.call_head(weights, support_z))  # [task]
        gradients = tape.gradient(losses, weights)  # of the sum: each task has its own weights
        if self.first_order:
            gradients = [tf.stop_gradient(gradient) for gradient in gradients]
        # w'_i = w - alpha grad_w L_Ti(w, f_theta(x)): theta stays
        return add_scaled(weights, -self.inner_rate, gradients)

    def inner_loop(self, weights, support_x, support_y, steps):
        """``steps`` inner steps on features that are computed once."""
        return super().inner_loop(weights, self.features(support_x), support_y, steps)

    def predict_with(self, weights, query_x, support_x=None):
        """Predictions with adapted heads: [task, query, out].

        Batch norm uses the statistics of ``support_x`` when it is given (honest), otherwise those
        of the queries (transductive).
        """
        if support_x is None:
            return self.call_head(weights, self.features(query_x))
        support_z, query_z = self.features_together(support_x, query_x)
        return self.call_head(weights, query_z, support_z)

    def call(self, inputs, training=False):
        """Adapt the head, predict the queries; honest unless in training.

        The same as ``adapt`` and ``predict_with``, with every image embedded once.
        """
        support_x, query_x = inputs["support_x"], inputs["query_x"]
        honest = not training or self.batch_norm == "support"
        if honest:
            support_z, query_z = self.features_together(support_x, query_x)
        else:
            support_z, query_z = self.features(support_x), self.features(query_x)
        steps = self.inner_steps if training else self.test_steps
        start = self.start(support_x)
        weights = super().inner_loop(start, support_z, inputs["support_y"], steps)
        return self.call_head(weights, query_z, support_z if honest else None)


def _check_head(network, adapted_layers, zero_head) -> None:
    layers = layers_in_order(network)
    if layers is None:
        raise RunError(
            "ANIL takes a network apart, which needs a keras.Sequential of dense, convolution, "
            "pooling and activation layers that are not frozen; use MAML for any other."
        )
    if not 1 <= adapted_layers <= len(layers):
        raise RunError(
            f"adapted_layers is {adapted_layers}; the network has {len(layers)} layers, so it must "
            f"be 1 to {len(layers)}."
        )
    weighted = sum(bool(layer.trainable_variables) for layer in layers[-adapted_layers:])
    if not weighted:
        raise RunError(
            f"The last {adapted_layers} layer(s) of the network have no weights to adapt; give "
            "more adapted_layers."
        )
    if zero_head and weighted > 1:
        raise RunError(
            f"The head has {weighted} layers with weights, and all of them at zero have no "
            "gradient; give fewer adapted_layers or no zero_head."
        )
