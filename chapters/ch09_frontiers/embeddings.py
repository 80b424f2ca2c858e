"""What is clustered: embeddings of unlabelled pictures, of one size in all directions."""

import numpy as np
import tensorflow as tf

AT_ONCE = 500  # pictures of one call of an encoder
FLAT = 1e-6  # a direction with this share of the largest deviation, or less, is none


class Embedding:
    """Codes of pictures without any direction of their own: [item, ...] -> [item, dim].

    Their mean is 0 and their covariance the identity. Those of an encoder stay near its axes (ZCA);
    raw pixels become their first principal components, the floor, where nothing is learned.

    Args:
        x: pictures [item, height, width, channel] that mean and size are taken from.
        encoder: pictures -> codes [item, dim]; None for raw pixels.
        dim: components of raw pixels.
    """

    def __init__(self, x, encoder=None, dim: int = 64):
        from sklearn.decomposition import PCA

        self.encoder = encoder
        found = self._codes(x)
        if encoder is None:
            pca = PCA(min(dim, *found.shape), svd_solver="randomized", random_state=0).fit(found)
        else:
            pca = PCA().fit(found)
        size = np.sqrt(pca.explained_variance_)
        keep = size > FLAT * size.max()  # constant directions stay 0
        # z = (f(x) - mean) U / s, and U' behind it for an encoder     [code, dim]
        matrix = pca.components_[keep].T / size[keep]
        if encoder is not None:
            matrix = matrix @ pca.components_[keep]
        self.mean = tf.constant(pca.mean_, tf.float32)
        self.matrix = tf.constant(matrix, tf.float32)

    def __call__(self, x, training: bool = False):
        """Codes of pictures, in graphs too; nothing is trained here."""
        return tf.linalg.matmul(self._encode(x) - self.mean, self.matrix)

    def of_all(self, x) -> np.ndarray:
        """Codes of many pictures, some at a time: [item, dim]."""
        return self._in_parts(self, x)

    def _codes(self, x) -> np.ndarray:
        return self._in_parts(self._encode, x)

    @staticmethod
    def _in_parts(function, x) -> np.ndarray:
        graph = tf.function(function, autograph=False, reduce_retracing=True)
        parts = [graph(tf.constant(x[i : i + AT_ONCE])) for i in range(0, len(x), AT_ONCE)]
        return np.concatenate(parts)

    def _encode(self, x):
        if self.encoder is None:
            return tf.reshape(x, [tf.shape(x)[0], np.prod(x.shape[1:])])
        return self.encoder(x, training=False)
