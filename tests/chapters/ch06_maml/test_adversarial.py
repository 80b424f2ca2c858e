"""FGSM and PGD against a closed form, and the errata of sections 6.6 and 6.7."""

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml.adversarial import fgsm, pgd
from chapters.ch06_maml.losses import binary_cross_entropy, cross_entropy
from chapters.engine.per_task import call_per_task, repeat_for_tasks
from tests.chapters.meta_gradients import classification, tanh_network


def task(seed=1, dtype=tf.float32):
    """A network of three classes with its weights, inputs away from the bounds, and labels."""
    network = tanh_network(outputs=3)
    inputs, _ = classification(seed=seed, dtype=dtype)
    weights = repeat_for_tasks(network.trainable_variables, 3)
    return (
        lambda x: call_per_task(network, weights, x),
        inputs["support_x"],
        inputs["support_y"],
    )


def test_fgsm_equals_the_closed_form_of_a_sigmoid_layer():
    """grad_x J = (p - y) theta^T, so x_adv = x + epsilon sign((p - y) theta^T)."""
    rng = np.random.default_rng(3)
    x, theta = rng.uniform(0.3, 0.7, size=[2, 6, 5]), rng.normal(size=[5])
    y = rng.integers(0, 2, size=[2, 6])
    found = fgsm(lambda x: x @ theta[:, None], binary_cross_entropy, tf.constant(x), y, 0.2)
    p = 1 / (1 + np.exp(-(x @ theta)))
    np.testing.assert_allclose(found, x + 0.2 * np.sign((p - y)[..., None] * theta), rtol=1e-12)


def test_e6_18_the_adversarial_input_is_the_input_plus_the_step():
    """Not the gradient: without a step it is the input itself."""
    predict, x, y = task()
    np.testing.assert_array_equal(fgsm(predict, cross_entropy, x, y, 0.0), x)


def test_e6_19_every_coordinate_moves_by_epsilon_and_the_loss_rises():
    predict, x, y = task()
    attacked = fgsm(predict, cross_entropy, x, y, 0.1)
    np.testing.assert_allclose(np.abs(attacked - x), 0.1, rtol=1e-5)
    assert np.all(cross_entropy(y, predict(attacked)) > cross_entropy(y, predict(x)))


def test_e6_19_the_books_softmax_over_one_column_tells_an_attack_nothing():
    """The book's loss is 0 whatever the input: its gradient is nothing but roundings.

    On some processors they are exactly zero, on others not, and their sign would be noise.
    """

    def printed(prediction):  # [task, item, 1]
        return -tf.reduce_mean(tf.math.log(tf.nn.softmax(prediction, axis=-1)), axis=[1, 2])

    def mended(prediction):
        return binary_cross_entropy(tf.ones(prediction.shape[:2], tf.int32), prediction)

    theta = tf.constant([[1.0], [-2.0]])
    x = tf.cast(task()[1], tf.float32)
    slopes = {}
    for loss in (printed, mended):
        with tf.GradientTape() as tape:
            tape.watch(x)
            losses = loss(x @ theta)
        slopes[loss] = np.abs(tape.gradient(losses, x)).max()
        if loss is printed:
            np.testing.assert_allclose(losses, 0.0, atol=1e-6)
    assert slopes[printed] < 1e-5 * slopes[mended]


def test_e6_20_the_attack_aims_at_the_weights_it_is_given():
    network = tanh_network(outputs=3)
    _, x, y = task()
    weights = repeat_for_tasks(network.trainable_variables, 3)
    against = [weights, [-w for w in weights]]
    one, other = (
        fgsm(lambda x, w=w: call_per_task(network, w, x), cross_entropy, x, y, 0.1) for w in against
    )
    assert np.any(np.abs(one - other) > 0.1)


@pytest.mark.parametrize("attack", [fgsm, pgd])
def test_e6_21_images_stay_images(attack):
    predict, x, y = task()
    attacked = attack(predict, cross_entropy, x, y, 0.5).numpy()
    assert attacked.min() == 0.0
    assert attacked.max() == 1.0


@pytest.mark.parametrize("attack", [fgsm, pgd])
def test_inputs_without_bounds_are_not_clipped(attack):
    predict, x, y = task()
    attacked = attack(predict, cross_entropy, x, y, 3.0, low=None, high=None).numpy()
    assert attacked.min() < -1.0
    assert attacked.max() > 2.0


def test_pgd_stays_in_the_ball_and_does_more_harm():
    predict, x, y = task()
    weak, strong = (attack(predict, cross_entropy, x, y, 0.2) for attack in (fgsm, pgd))
    assert np.abs(strong - x).max() <= 0.2 + 1e-6
    harm = [tf.reduce_mean(cross_entropy(y, predict(z))) for z in (x, weak, strong)]
    assert harm[0] < harm[1] <= harm[2] + 1e-6


def test_pgd_of_one_step_is_fgsm():
    predict, x, y = task()
    one_step = pgd(predict, cross_entropy, x, y, 0.1, steps=1)
    np.testing.assert_allclose(one_step, fgsm(predict, cross_entropy, x, y, 0.1), atol=1e-6)


def test_no_gradient_flows_into_the_attack():
    network = tanh_network(outputs=3)
    _, x, y = task()
    with tf.GradientTape() as tape:
        tape.watch(x)
        weights = repeat_for_tasks(network.trainable_variables, 3)
        attacked = fgsm(lambda x: call_per_task(network, weights, x), cross_entropy, x, y, 0.1)
        total = tf.reduce_sum(attacked**2)
    assert tape.gradient(total, [x, *network.trainable_variables]) == [None] * 5


def test_tasks_are_attacked_apart():
    network = tanh_network(outputs=3)
    _, x, y = task()
    weights = [
        w * tf.reshape([1.0, -1.0, 2.0], [3] + [1] * (len(w.shape) - 1))
        for w in repeat_for_tasks(network.trainable_variables, 3)
    ]
    together = fgsm(lambda x: call_per_task(network, weights, x), cross_entropy, x, y, 0.1)
    for number in range(3):
        own = [w[number : number + 1] for w in weights]
        alone = fgsm(
            lambda x, own=own: call_per_task(network, own, x),
            cross_entropy,
            x[number : number + 1],
            y[number : number + 1],
            0.1,
        )
        np.testing.assert_allclose(together[number], alone[0], atol=1e-6)
