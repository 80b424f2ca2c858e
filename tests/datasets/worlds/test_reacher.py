"""The arm: its geometry, its expert, and that nothing gives the right target away."""

import numpy as np
import pytest
import tensorflow as tf

from datasets import DataError
from datasets.worlds import Reacher
from datasets.worlds.reacher import NEAR, OTHER, ROBOT, Scene

SEED = tf.constant([1, 2])


def test_the_fingertip_by_hand():
    angles = tf.constant(
        [[[0.0, 0.0], [np.pi / 2, 0.0], [0.0, np.pi / 2], [np.pi / 2, -np.pi / 2]]]
    )
    expected = [[1, 0], [0, 1], [0.5, 0.5], [0.5, 0.5]]
    np.testing.assert_allclose(Reacher().fingertip(angles)[0], expected, atol=1e-6)
    other = [[1, 0], [0, 1], [0.6, 0.4], [0.4, 0.6]]
    np.testing.assert_allclose(Reacher(arm=OTHER).fingertip(angles)[0], other, atol=1e-6)


@pytest.mark.parametrize("arm", [ROBOT, OTHER])
def test_the_expert_touches_the_right_target_and_stays_there(arm):
    world = Reacher(horizon=40, arm=arm)
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
    assert colour.min() >= 0 and colour.max() <= 1
    assert np.linalg.norm(colour[:, 0] - colour[:, 1], axis=-1).min() > 0.5


@pytest.mark.parametrize("side", [0, 8, 24])
def test_what_is_seen_tells_nothing_of_which_target_counts(side):
    world = Reacher(side=side)
    colours = world.tasks(20, SEED)
    state = world.start(colours, 1, SEED)
    swapped = state._replace(place=state.place[:, :, ::-1])
    seen, again = world.observe(colours, state), world.observe(colours[:, ::-1], swapped)
    np.testing.assert_allclose(again, seen, atol=1e-6)
    mixed = world.observe(colours, swapped)  # the colours change places
    assert np.abs(mixed - seen).max(axis=-1).min() > 0.01


def test_numbers_are_places_weighted_by_colours():
    world = Reacher()
    colours = world.tasks(3, SEED)
    state = world.start(colours, 2, SEED)
    seen = world.observe(colours, state).numpy()
    for task in range(3):
        for trajectory in range(2):
            expected = np.zeros((3, 2))
            for target in range(2):
                for primary in range(3):
                    share = colours[task, target, primary].numpy()
                    expected[primary] += share * state.place[task, trajectory, target].numpy()
            np.testing.assert_allclose(seen[task, trajectory, 6:], expected.ravel(), atol=1e-6)


def test_places_are_of_a_trajectory_and_colours_of_a_task():
    world = Reacher()
    state = world.start(world.tasks(2, SEED), 2, SEED)
    assert np.abs(state.place[:, 0] - state.place[:, 1]).max() > 0.01


@pytest.mark.parametrize("hues", [(0.0, 0.6), (0.6, 0.8), (0.8, 1.0)])
def test_colours_are_those_of_their_part_of_each_third(hues):
    wave = Reacher(hues=hues).tasks(400, SEED).numpy() - 0.5  # red, green, blue of both targets
    turns = 2 * np.pi * np.arange(3) / 3
    hue = np.arctan2(wave @ np.sin(turns), wave @ np.cos(turns)) / (2 * np.pi) % 1
    part = 3 * hue % 1
    assert ((part > hues[0] - 1e-3) & (part < hues[1] + 1e-3)).all()
    third = np.floor(3 * hue).astype(int)
    assert (third[:, 0] != third[:, 1]).all() and set(third.ravel()) == {0, 1, 2}


def test_a_picture_shows_targets_and_arm_where_they_are():
    world = Reacher()
    colours = tf.constant([[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    # The arm points to the right, the targets are above and below.
    state = Scene(tf.zeros([1, 1, 2]), tf.constant([[[[0.0, 0.6], [0.0, -0.6]]]]))
    picture = world.picture(colours, state, 46)[0, 0].numpy()  # a pixel is 0.05 wide
    np.testing.assert_allclose(picture[11, 23], [1, 0, 0], atol=0.01)
    np.testing.assert_allclose(picture[34, 23], [0, 0, 1], atol=0.01)
    np.testing.assert_allclose(picture[23, 33], ROBOT.colour, atol=0.2)
    np.testing.assert_allclose(picture[23, 5], [0.1, 0.1, 0.1], atol=0.01)
    assert picture.min() >= 0 and picture.max() <= 1


def test_an_observation_holds_the_picture():
    world = Reacher(side=8)
    colours = world.tasks(2, SEED)
    state = world.start(colours, 3, SEED)
    seen = world.observe(colours, state).numpy()
    picture = world.picture(colours, state, 8)
    np.testing.assert_array_equal(seen[..., 6:].reshape(2, 3, 8, 8, 3), picture)


def test_what_does_not_fit_is_one_sentence():
    with pytest.raises(DataError, match="hues are 0.5 to 0.2; give a part of 0 to 1"):
        Reacher(hues=(0.5, 0.2))
    with pytest.raises(DataError, match="4 pixels a side show no arm"):
        Reacher(side=4)
