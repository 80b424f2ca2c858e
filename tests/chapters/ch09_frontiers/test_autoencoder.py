"""The autoencoder: shapes, who learns from which loss, and that it learns."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch09_frontiers import autoencoder
from chapters.ch09_frontiers.autoencoder import Autoencoder
from chapters.ch09_frontiers.embeddings import Embedding


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    return Autoencoder((12, 12, 1), dim=5, channels=2)


def pictures(count=6, size=12, channels=1):
    return np.random.default_rng(1).random([count, size, size, channels]).astype(np.float32)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (17, 20, 1)])
def test_pictures_of_any_size_come_back(shape):
    model = Autoencoder(shape, dim=4, channels=2)
    z = model(np.zeros([3, *shape], np.float32))
    assert z.shape == (3, 4) and model.decode(z).shape == (3, *shape)


def test_losses_by_hand(model):
    x, seed = tf.constant(pictures()), tf.constant([1, 2])
    loss, known = model.losses_of(x, seed)
    z = model.encoder(x).numpy()
    p = model.decode(z).numpy()
    errors = -(x * np.log(p) + (1 - x) * np.log(1 - p)).numpy().sum(axis=(1, 2, 3))
    share = tf.random.stateless_uniform([6, 1], seed, 0.0, 0.5).numpy()
    mixed = model.decode(share * z + (1 - share) * np.roll(z, 1, axis=0))
    critic = model.critic(mixed).numpy()
    assert float(loss) == pytest.approx(errors.mean() + 0.5 * (critic**2).mean(), rel=1e-4)
    real = model.critic(0.2 * x + 0.8 * p).numpy()
    expected = ((critic - share) ** 2).mean() + (real**2).mean()
    assert float(known) == pytest.approx(expected, rel=1e-4)


def test_each_part_learns_from_its_own_loss(model):
    x, seed = tf.constant(pictures()), tf.constant([1, 2])
    with tf.GradientTape(persistent=True) as tape:
        loss, known = model.losses_of(x, seed)
    own = model.encoder.trainable_variables + model.decoder.trainable_variables
    assert all(g is not None for g in tape.gradient(loss, own))
    assert all(g is None for g in tape.gradient(known, own))
    assert any(g is not None for g in tape.gradient(known, model.critic.trainable_variables))
    # One optimizer moves both parts, each by the gradient of its own loss.
    variables = [*own, *model.critic.trainable_variables]
    gradients = [*tape.gradient(loss, own), *tape.gradient(known, variables[len(own) :])]
    expected = [v.numpy() - 0.1 * g.numpy() for v, g in zip(variables, gradients, strict=True)]
    autoencoder.train_step(model, keras.optimizers.SGD(0.1))(x, seed)
    for value, variable in zip(expected, variables, strict=True):
        np.testing.assert_allclose(variable, value, rtol=1e-4, atol=1e-5)


def test_a_few_pictures_are_learned(model):
    halves = np.zeros([4, 12, 12, 1], np.float32)  # the upper, lower, left and right one
    halves[0, :6] = halves[1, 6:] = halves[2, :, :6] = halves[3, :, 6:] = 1.0
    x = tf.constant(halves)
    step = autoencoder.train_step(model, keras.optimizers.Adam(1e-2))
    graph = tf.function(step)
    losses = [float(graph(x, tf.constant([0, n]))["loss"]) for n in range(150)]
    assert losses[-1] < 0.5 * losses[0]


def test_codes_have_no_directions(model):
    x = pictures(60)
    z = Embedding(x, model.encoder).of_all(x)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(z.T), np.eye(5), atol=1e-3)


def test_codes_stay_close_to_the_directions_of_the_encoder(model):
    """Of all whitenings, ZCA moves least: its matrix is symmetric, C^(-1/2)."""
    x = pictures(60)
    found = Embedding(x, model.encoder)
    values, vectors = np.linalg.eigh(np.cov(model(x).numpy().T))
    expected = vectors @ np.diag(values**-0.5) @ vectors.T
    np.testing.assert_allclose(found.matrix, expected, rtol=1e-3, atol=1e-3 * expected.max())


def test_a_code_that_never_changes_stays_zero():
    def encode(x, training=False):
        return tf.concat([x[:, 0, 0, :1], 0 * x[:, 0, 0, :1] + 7.0], axis=1)

    z = Embedding(pictures(50), encode).of_all(pictures(50))
    assert np.isfinite(z).all() and np.abs(z[:, 1]).max() < 1e-4


def test_pixels_become_their_principal_components():
    x = pictures(40)
    z = Embedding(x, dim=8).of_all(x)
    np.testing.assert_allclose(np.cov(z.T), np.eye(8), atol=1e-3)
    flat = x.reshape(40, -1) - x.reshape(40, -1).mean(axis=0)
    _, singular, components = np.linalg.svd(flat, full_matrices=False)
    expected = flat @ components[0] / singular[0] * np.sqrt(39)  # the direction of most variance
    assert abs(np.corrcoef(z[:, 0], expected)[0, 1]) > 0.999
    assert Embedding(x[:5], dim=8).of_all(x).shape[1] <= 5  # fewer pictures than components


def test_an_autoencoder_survives_saving(model, tmp_path):
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(pictures()), model(pictures()))
