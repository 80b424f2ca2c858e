"""Networks: shapes and sizes as in the book, shared weights, classification by the nearest."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch02_siamese import faces, sounds
from chapters.ch02_siamese.models import (
    ENERGIES,
    NearestNeighbour,
    SiameseNetwork,
    nearest_of_class,
)
from chapters.ch02_siamese.presets import AudioConfig, FacesConfig


def flat_encoder(shape=(2,)):
    """An encoder that only flattens, so that distances can be computed by hand."""
    return keras.Sequential([keras.layers.Input(shape), keras.layers.Flatten()])


def test_e2_6_the_books_face_network_flattens_to_1440_features():
    network = faces.build_base_network()
    flatten = next(x for x in network.layers if isinstance(x, keras.layers.Flatten))
    assert flatten.output.shape == (None, 1440)
    assert network.output_shape == (None, 50)
    assert network.count_params() == 191_618


def test_the_books_audio_network_has_its_parameters():
    network = sounds.build_base_network()
    trained = sum(np.prod(weight.shape) for weight in network.trainable_weights)
    assert trained == 1_057_152
    assert network.output_shape == (None, 128)


def test_parameters_of_our_encoders_are_those_in_the_readme():
    ours = faces.build_encoder((112, 92, 1), FacesConfig())
    assert sum(np.prod(weight.shape) for weight in ours.trainable_weights) == 25_760
    audio = sounds.build_encoder(AudioConfig(dim=32))
    assert sum(np.prod(weight.shape) for weight in audio.trainable_weights) == 33_377


def test_both_twins_are_one_encoder():
    """Swapping the items changes nothing, and a pair adds no weights (pattern 6 of the errata)."""
    encoder = faces.build_base_network()
    siamese = SiameseNetwork(encoder)
    random = np.random.default_rng(0)
    a, b = random.random([2, 4, 56, 46, 1]).astype(np.float32)
    forth, back = siamese.pair_distance(a, b), siamese.pair_distance(b, a)
    np.testing.assert_allclose(forth, back, atol=1e-6)
    assert forth.shape == (4, 1)
    assert len(siamese.weights) == len(encoder.weights)


@pytest.mark.parametrize("energy", ENERGIES)
def test_distance_of_a_pair_equals_the_table_of_all_distances(energy):
    siamese = SiameseNetwork(flat_encoder(), energy)
    random = np.random.default_rng(1)
    a, b = random.normal(size=[2, 5, 2]).astype(np.float32)
    table = siamese.distances(a, b).numpy()
    assert table.shape == (5, 5)
    np.testing.assert_allclose(np.diag(table), siamese.pair_distance(a, b)[:, 0], atol=1e-6)


def test_unknown_energy_is_refused():
    with pytest.raises(ValueError, match="euclidean, cosine"):
        SiameseNetwork(flat_encoder(), "manhattan")


def nearest_by_loop(distance, labels):
    """[query, support], [support] -> [query, way]"""
    way = max(labels) + 1
    result = np.full([len(distance), way], np.inf)
    for q, row in enumerate(distance):
        for d, label in zip(row, labels, strict=True):
            result[q, label] = min(result[q, label], d)
    return result


def test_nearest_of_class_equals_a_loop_also_for_a_class_without_items():
    random = np.random.default_rng(2)
    distance = random.random([2, 3, 5]).astype(np.float32)
    labels = np.array([[0, 3, 1, 1, 0], [2, 3, 3, 3, 2]])  # classes 2, and 0 and 1, are missing
    found = nearest_of_class(tf.constant(distance), tf.constant(labels, tf.int32))
    for task in range(2):
        expected = nearest_by_loop(distance[task], labels[task])
        np.testing.assert_array_equal(found[task], expected)


def learner_and_task():
    random = np.random.default_rng(3)
    task = {
        "support_x": random.normal(size=[2, 6, 2]).astype(np.float32),
        "support_y": np.array([[0, 1, 2, 0, 1, 2], [2, 2, 1, 1, 0, 0]], np.int32),
        "query_x": random.normal(size=[2, 4, 2]).astype(np.float32),
    }
    return NearestNeighbour(SiameseNetwork(flat_encoder()), sharpness=3.0), task


def test_logits_are_distances_to_the_nearest_support_item():
    learner, task = learner_and_task()
    logits = learner(task).numpy()
    for number in range(2):
        x, y = task["query_x"][number], task["support_x"][number]
        distance = np.linalg.norm(x[:, None] - y[None], axis=-1)
        expected = -3 * nearest_by_loop(distance, task["support_y"][number])
        np.testing.assert_allclose(logits[number], expected, rtol=1e-5)


def test_the_order_of_the_support_set_changes_nothing():
    learner, task = learner_and_task()
    order = np.array([3, 0, 5, 1, 4, 2])
    moved = task | {name: task[name][:, order] for name in ("support_x", "support_y")}
    np.testing.assert_array_equal(learner(task), learner(moved))


def test_serving_one_task_returns_distances_and_probabilities_that_sum_to_one():
    learner, task = learner_and_task()
    served = learner.serving()(**{name: x[0] for name, x in task.items()})
    np.testing.assert_allclose(served["distance"], -learner(task)[0] / 3, rtol=1e-6)
    np.testing.assert_allclose(tf.reduce_sum(served["probabilities"], axis=-1), np.ones(4), 1e-6)
    np.testing.assert_array_equal(
        np.argmax(served["probabilities"], axis=-1), np.argmin(served["distance"], axis=-1)
    )


def test_a_network_survives_saving(tmp_path):
    siamese = SiameseNetwork(faces.build_encoder((112, 92, 1), FacesConfig(dim=8)), "cosine")
    x = np.random.default_rng(4).random([3, 112, 92, 1]).astype(np.float32)
    expected = siamese.pair_distance(x, x[::-1])
    siamese.save(tmp_path / "siamese.keras")
    loaded = keras.models.load_model(tmp_path / "siamese.keras")
    assert loaded.energy == "cosine"
    np.testing.assert_allclose(loaded.pair_distance(x, x[::-1]), expected, atol=1e-6)
