"""The arm: its geometry, its expert, and that nothing gives the right target away."""

import numpy as np
import pytest
import tensorflow as tf

from datasets.worlds import Reacher
from datasets.worlds.reacher import NEAR

SEED = tf.constant([1, 2])


def test_the_fingertip_by_hand():
    angles = tf.constant(
        [[[0.0, 0.0], [np.pi / 2, 0.0], [0.0, np.pi / 2], [np.pi / 2, -np.pi / 2]]]
    )
    expected = [[1, 0], [0, 1], [0.5, 0.5], [0.5, 0.5]]
    np.testing.assert_allclose(Reacher().fingertip(angles)[0], expected, atol=1e-6)


def test_the_expert_touches_the_right_target_and_stays_there():
    world = Reacher(horizon=40)
    colours = world.tasks(300, SEED)
    state = world.start(colours, 2, SEED)
    for _ in range(40):
        state, reward, _ = world.step(colours, state, world.expert(state), SEED)
    distance = world.distance(state).numpy()
    np.testing.assert_allclose(reward, -distance, atol=1e-6)
    assert (distance < NEAR).mean() == 1


def test_targets_are_in_reach_apart_and_of_unlike_colours():
    colour = Reacher().tasks(500, SEED).numpy()
    place = Reacher().start(colour, 3, SEED).place.numpy()
    radius = np.linalg.norm(place, axis=-1)
    assert radius.min() > 0.39 and radius.max() < 0.91
    assert np.linalg.norm(place[:, :, 0] - place[:, :, 1], axis=-1).min() > 2 * NEAR
    assert np.linalg.norm(colour[:, 0] - colour[:, 1], axis=-1).min() > 0.5
    assert colour.min() >= 0 and colour.max() <= 1


def test_the_order_of_targets_tells_nothing_of_which_counts():
    world = Reacher()
    colours = world.tasks(2000, SEED)
    state = world.start(colours, 1, SEED)
    seen = world.observe(colours, state).numpy()[:, 0, 6:]
    first = np.abs(seen[:, :2] - state.place.numpy()[:, 0, 0]).max(axis=-1) < 1e-6
    assert 0.46 < first.mean() < 0.54
    other = state._replace(place=state.place[:, :, ::-1])
    again = world.observe(colours[:, ::-1], other).numpy()[:, 0, 6:]
    np.testing.assert_array_equal(again, seen)  # which one is right cannot be seen


def test_places_are_of_a_trajectory_and_colours_of_a_task():
    world = Reacher()
    colours = world.tasks(2, SEED)
    state = world.start(colours, 2, SEED)
    assert np.abs(state.place[:, 0] - state.place[:, 1]).max() > 0.01
    seen = world.observe(colours, state).numpy()[..., 6:].reshape(2, 2, 2, 5)
    np.testing.assert_array_equal(seen[:, 0, :, 2:], seen[:, 1, :, 2:])


@pytest.mark.parametrize("colours", [(0.0, 0.5), (0.5, 1.0)])
def test_colours_are_those_of_their_range(colours):
    wave = (
        Reacher(colours=colours).tasks(400, SEED).numpy()[:, 0] - 0.5
    )  # red, green, blue of the right target
    hue = np.arctan2(
        wave @ np.sin(2 * np.pi * np.arange(3) / 3), wave @ np.cos(2 * np.pi * np.arange(3) / 3)
    ) / (2 * np.pi) % 1  # fmt: skip
    assert ((hue > colours[0] - 1e-3) & (hue < colours[1] + 1e-3)).all()
