"""Pictures of image experiments show what they are given."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from matplotlib import colors

from chapters.engine.figures import NEUTRAL, RIGHT, SMALL, WIDTH, WRONG, label
from chapters.experiments import images
from chapters.experiments.images import adaptation, pictures
from chapters.experiments.options import AdaptationOptions, ImageOptions
from datasets.dataset import Dataset
from datasets.tasks.episodes import Episode, EpisodeSampler


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def noise_task(channels: int = 0):
    rng = np.random.default_rng(0)
    shape = [12, 8, 8, channels] if channels else [12, 8, 8]
    items = rng.integers(0, 256, shape, dtype=np.uint8)
    item_class = np.repeat(np.arange(3), 4).astype(np.int32)
    data = Dataset("noise", items, item_class, tuple("abc"), {"test": np.arange(3)})
    return data, EpisodeSampler(data, "test", 3, 1, 2).episode(0)


def sure_of_class_0(inputs, training):
    """Whatever it sees."""
    assert not training
    return tf.one_hot(tf.zeros(inputs["query_x"].shape[:2], tf.int32), 3) * 10.0


def test_an_episode_shows_every_image_and_whether_it_was_classified_right():
    _, task = noise_task()
    figure = pictures.episode(sure_of_class_0, task, ["oak", "birch", "日"], ink=True)
    axes = np.reshape(figure.axes, [3, 3])
    names = ["oak", "birch", label("日")]
    for k in range(3):
        np.testing.assert_allclose(axes[k, 0].images[0].get_array(), task.support_x[0, k, ..., 0])
        assert axes[k, 0].get_title() == f"{names[k]}\n"
        assert axes[k, 0].title.get_color() == NEUTRAL
        for column in (1, 2):
            query = task.query_x[0, 2 * k + column - 1, ..., 0]
            np.testing.assert_allclose(axes[k, column].images[0].get_array(), query)
            assert axes[k, column].get_title() == "oak\n100%"
            colour = RIGHT if k == 0 else WRONG
            assert axes[k, column].title.get_color() == colour
            assert colors.same_color(axes[k, column].spines["left"].get_edgecolor(), colour)
            assert axes[k, column].title.get_fontsize() >= SMALL


def test_an_episode_of_many_items_shows_a_few_and_fits_a_page():
    x, y = tf.zeros([1, 3 * 20, 4, 4, 1]), tf.constant([np.repeat(np.arange(3), 20)])
    task = Episode(x, y, x, y, tf.range(3)[None])
    figure = pictures.episode(sure_of_class_0, task, list("abc"), ink=True)
    assert len(figure.axes) == 3 * 2 * pictures.SHOWN
    assert figure.get_figwidth() <= WIDTH
    assert "3-way 20-shot" in figure.get_suptitle()


@pytest.mark.parametrize(("ink", "map_name"), [(True, "gray_r"), (False, "gray")])
def test_ink_is_dark_and_a_photograph_is_no_negative(ink, map_name):
    _, task = noise_task()
    figure = pictures.episode(sure_of_class_0, task, list("abc"), ink)
    assert {axis.images[0].get_cmap().name for axis in figure.axes} == {map_name}


def test_ink_is_what_was_inverted_when_it_was_read():
    own = ImageOptions(data="my/folder")
    assert images.is_ink(ImageOptions(data="omniglot"))
    assert not images.is_ink(own)
    assert images.is_ink(dataclasses.replace(own, invert=True))


def test_folders_keep_their_names_and_known_sets_have_numbers():
    data, task = noise_task()
    drawn = ["abc"[k] for k in task.class_ids[0]]
    assert images.class_names(data, ImageOptions(data="my/folder"), task) == drawn
    numbers = ["class 0", "class 1", "class 2"]
    assert images.class_names(data, ImageOptions(data="strokes"), task) == numbers


def test_training_and_validation_of_other_sizes_are_called_by_them():
    config, validation = ImageOptions(way=5, shot=1), images.Column(20, 1)
    assert images.curve_names(config, validation) == {
        "training": "training, 5-way 1-shot",
        "held_out": "validation, unseen classes, 20-way 1-shot",
    }
    assert images.progress_names(config, validation) == {
        "accuracy": "accuracy 5-way 1-shot",
        "val_accuracy": "val_accuracy 20-way 1-shot",
    }


def test_curves_of_learners_that_adapt_say_after_how_many_steps():
    config = AdaptationOptions(shot=1, inner_steps=1, test_steps=3, columns="5w5s")
    assert adaptation.curve_names(config) == {
        "training": "training, 5-way 1-shot, 1 inner step(s)",
        "held_out": "validation, unseen classes, 5-way 5-shot, 3 inner step(s)",
    }


def test_the_curve_has_a_line_per_regime_and_marks_the_steps_in_use():
    curves = {"steps": [0, 1, 5], "support": [0.2, 0.8, 0.9], "transductive": [0.2, 0.9, 0.95]}
    (axis,) = pictures.accuracy_by_steps(curves, used=1).axes
    honest, transductive, used = axis.lines
    np.testing.assert_allclose(honest.get_xydata(), [[0, 20], [1, 80], [5, 90]])
    np.testing.assert_allclose(transductive.get_ydata(), [20, 90, 95])
    np.testing.assert_array_equal(used.get_xdata(), [1, 1])
    assert honest.get_color() == transductive.get_color()  # one method, two ways to measure it
    assert (honest.get_linestyle(), transductive.get_linestyle()) == ("-", "--")
    assert all(tick == round(tick) for tick in axis.get_xticks())
