"""The published memory-augmented network: guesses what it cannot know, then remembers."""

import numpy as np
import pytest
import tensorflow as tf

import datasets
import zoo
from chapters.ch05_memory import measures
from datasets.tasks.presentations import Presentations, presentation_number

EPISODES = 400


@pytest.fixture(scope="module")
def answers():
    """Right answers and classes [episode, time] on generated characters."""
    loaded = zoo.load("mann-omniglot")
    data = datasets.load("strokes", size=loaded.config.image_size)
    sampler = Presentations(data, "test", way=5, length=15, batch=EPISODES, seed=11, rotations=True)
    episode = sampler(0)
    right = measures.is_right(episode.label, loaded.learner.present(episode.images, episode.label))
    return np.array(right), np.array(episode.class_of)


def test_the_first_picture_of_an_episode_is_at_chance(answers):
    """No label has been told: one in five, within four standard deviations of the mean."""
    right, _ = answers
    assert abs(right[:, 0].mean() - 0.2) < 4 * np.sqrt(0.2 * 0.8 / EPISODES)


def test_first_presentations_are_no_better_than_leaving_out_what_was_told(answers):
    right, class_of = answers
    first = presentation_number(class_of) == 1
    limit = measures.best_guess(class_of, 5)[first]
    spread = np.sqrt(np.sum(limit * (1 - limit))) / len(limit)
    assert right[first].mean() < limit.mean() + 4 * spread


def test_later_presentations_are_known(answers):
    right, class_of = answers
    assert right[presentation_number(class_of) == 2].mean() > 0.5


def test_pictures_are_read_as_in_training_and_named_after_the_support_set(tmp_path):
    from PIL import Image

    data = datasets.load("strokes", size=60)
    for k in range(5):
        (tmp_path / f"class {k}").mkdir()
        for n in range(2):
            ink = data.items[data.items_of(k)[n]]
            Image.fromarray(255 - ink).save(tmp_path / f"class {k}" / f"{n}.png")
    query = tmp_path / "class 4/1.png"
    answer = zoo.predict("mann-omniglot", tmp_path, [query])[0]
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert tf.math.is_finite(list(answer["probabilities"].values())[0])
    assert answer["name"] == "class 4"  # the last picture shown
