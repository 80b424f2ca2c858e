"""What learners share that embed the items of a task and compare the embeddings."""

import tensorflow as tf

from chapters.engine.layers import embed_items, embed_tasks, item_shape_of
from chapters.engine.learner import FewShotLearner


class MetricLearner(FewShotLearner):
    """Embeds all items of a task, then compares the queries with the support set.

    A subclass has ``classify``, which sees no item: what was embedded once can be compared with
    other items as often as one likes.

    Attributes:
        ENCODER: name of the attribute that embeds, a Keras model, [item, ...] -> [item, dim], or
            to maps [item, ..., dim].
    """

    ENCODER = "encoder"

    @property
    def item_shape(self):
        """Shape of one item; None for an encoder that takes any."""
        return item_shape_of(self._encoder)

    @property
    def _encoder(self):
        return getattr(self, self.ENCODER)

    def call(self, inputs, training=False):
        """Predictions of the queries [task, query, way]."""
        support_z, query_z = self.embed_task(inputs, training)
        return self.classify(support_z, inputs["support_y"], query_z, training)

    def embed_task(self, inputs, training=False):
        """Support set [task, support, dim] and queries [task, query, dim]; all in one pass."""
        support = tf.shape(inputs["support_x"])[1]
        # [task, support + query, ...]
        x = tf.concat([inputs["support_x"], inputs["query_x"]], axis=1)
        z = embed_tasks(self._encoder, x, training)  # [task, support + query, dim]
        return z[:, :support], z[:, support:]

    def classify(self, support_z, support_y, query_z, training=False):
        """Predictions of the queries [task, query, way], from embeddings.

        Args:
            support_z, query_z: of ``embed_task``, or of ``encode`` with a task axis.
            support_y: labels [task, support]; the largest is the number of classes minus one.
            training: as for ``call``.
        """
        raise NotImplementedError

    def compare(self, support_z, support_y, query_z, **others):
        """``classify``, and distances for ``answer``; None where logits have them.

        Args:
            support_z, support_y, query_z: as for ``classify``.
            others: what ``classify`` of a subclass takes besides.
        """
        return self.classify(support_z, support_y, query_z, **others), None

    def encode(self, x):
        """What the encoder says, with stored batch-norm averages: [item, ...] -> [item, dim]."""
        return embed_items(self._encoder, x)

    def embed(self, x):
        """Embeddings with stored batch-norm averages: [item, ...] -> [item, dim]."""
        return self.encode(x)
