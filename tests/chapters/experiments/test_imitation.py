"""The protocol of imitation: colours of each part, and what counts as a success."""

import numpy as np
import tensorflow as tf

from chapters.experiments import imitation
from chapters.experiments.options import ImitationOptions
from datasets.worlds.reacher import NEAR

CONFIG = ImitationOptions(test_trajectories=3)


class Knowing:
    """A policy that has the expert's answer; ``wrong`` goes to the other target."""

    def __init__(self, demonstrations, wrong: bool = False):
        self.world, self.wrong = demonstrations.world, wrong
        self.task = demonstrations.task(0)

    def adapt(self, support_x, support_y):
        return self.task

    def predict_with(self, adapted, query_x):
        """Places from the sums of the reacher's numbers: three equations for two places."""
        seen = query_x.numpy()
        angles = np.arctan2(seen[..., 2:4], seen[..., 0:2])
        sums = seen[..., 6:].reshape(*seen.shape[:2], 3, 2)
        colours = adapted.numpy().transpose(0, 2, 1)  # [task, primary, target]
        places = np.einsum("akc,atcx->atkx", np.linalg.pinv(colours), sums)
        places = places[:, :, ::-1] if self.wrong else places
        state = self.world.start(self.task, seen.shape[1], tf.constant([0, 0]))
        state = state._replace(
            angles=tf.constant(angles, tf.float32), place=tf.constant(places, tf.float32)
        )
        return self.world.expert(state)


def ends(wrong: bool) -> np.ndarray:
    demonstrations = imitation.sampler(CONFIG, imitation.TEST, 40)
    found = imitation.outcome(Knowing(demonstrations, wrong), demonstrations, 3)
    return found.distance.numpy() < NEAR


def test_who_knows_the_right_target_touches_it_and_who_knows_the_other_does_not():
    right, other = np.moveaxis(ends(wrong=False), -1, 0)
    assert right.mean() > 0.98 and other.mean() == 0
    right, other = np.moveaxis(ends(wrong=True), -1, 0)
    assert right.mean() == 0 and other.mean() > 0.98


def test_an_arm_that_stays_where_it_is_touches_hardly_anything():
    class Still:
        def adapt(self, support_x, support_y):
            return ()

        def predict_with(self, adapted, query_x):
            return tf.zeros([*query_x.shape[:2], 2])

    right, other, known = imitation.answers(Still(), CONFIG)
    assert right.shape == other.shape == known.shape == (300,)
    assert max(right.mean(), other.mean(), known.mean()) < 0.03


def test_colours_of_training_validation_and_test_do_not_meet():
    parts = imitation.TRAINING, imitation.VALIDATION, imitation.TEST
    assert len({part.seed for part in (*parts, imitation.KNOWN)}) == 4
    turns = 2 * np.pi * np.arange(3) / 3
    hues = []
    for part in parts:
        wave = imitation.sampler(CONFIG, part, 400).task(0).numpy().reshape(-1, 3) - 0.5
        hues.append(np.arctan2(wave @ np.sin(turns), wave @ np.cos(turns)) / (2 * np.pi))
    training, validation, test = hues

    def gap(one, other):
        """Degrees of the colour wheel between the nearest two."""
        apart = np.abs(one[:, None] - other[None]) % 1
        return 360 * np.minimum(apart, 1 - apart).min()

    assert gap(training, test) > 5.9 and gap(validation, test) > 5.9
    assert gap(training, validation) > 0


def test_pairs_of_a_test_are_as_unlike_as_those_it_is_compared_with():
    spread = []
    for part in (imitation.TEST, imitation.KNOWN):
        colours = imitation.sampler(CONFIG, part, 400).task(0).numpy()
        spread.append(np.linalg.norm(colours[:, 0] - colours[:, 1], axis=-1))
    assert abs(spread[0].mean() - spread[1].mean()) < 0.02
    assert min(spread[0].min(), spread[1].min()) > 0.9


def test_the_trajectories_of_a_test_have_beginnings_of_their_own():
    demonstrations = imitation.sampler(CONFIG, imitation.TEST, 5)
    found = imitation.outcome(Knowing(demonstrations), demonstrations, 2)
    _, shown = demonstrations.shown(0)
    places = found.states[0].place.numpy()
    assert np.abs(places[:, 0] - shown.place[:, 0]).max(axis=(1, 2)).min() > 1e-3
    assert np.abs(places[:, 0] - places[:, 1]).max(axis=(1, 2)).min() > 1e-3
