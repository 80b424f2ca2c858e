"""The book's toy: noise as printed, tasks with an identity when mended."""

import math

import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from datasets.errors import DataError
from datasets.tasks.hyperplanes import HyperplaneTasks


def one_task(points, **options):
    """Support and query set of one task, half of the points each."""
    half = points // 2
    inputs, query_y = HyperplaneTasks(half, half, **options)(0)
    named = (inputs["support_x"], inputs["support_y"], inputs["query_x"], query_y)
    return [value.numpy()[0] for value in named]


def loss_on_fresh_points(predictor, points, **options):
    """Cross-entropy on the query set of a predictor fitted to the support set."""
    x, y, query_x, query_y = one_task(points, **options)
    return log_loss(query_y, predictor.fit(x, y).predict_proba(query_x))


def test_shapes_types_and_ranges_are_as_documented():
    inputs, query_y = HyperplaneTasks(10, 15, tasks=4, dim=7)(0)
    assert inputs["support_x"].shape == (4, 10, 7) and inputs["support_x"].dtype == tf.float32
    assert inputs["support_y"].shape == (4, 10) and inputs["support_y"].dtype == tf.int32
    assert inputs["query_x"].shape == (4, 15, 7) and query_y.shape == (4, 15)
    assert set(query_y.numpy().ravel()) == {0, 1}
    x = inputs["support_x"].numpy()
    assert 0 <= x.min() < 0.05 and 0.95 < x.max() < 1


def test_e6_5_a_fitted_predictor_does_not_beat_ln_2_on_the_printed_generator():
    loss = loss_on_fresh_points(LogisticRegression(), 100_000, as_printed=True)
    assert math.log(2) - 0.001 < loss < math.log(2) + 0.005


def test_e6_5_mended_a_task_can_be_learned():
    assert loss_on_fresh_points(LogisticRegression(C=1e4), 10_000) < 0.1


def test_e6_6_support_and_query_are_of_the_same_task_and_tasks_differ():
    inputs, query_y = HyperplaneTasks(1000, 1000, tasks=8, seed=2)(0)
    right = np.zeros([8, 8])  # [task fitted, task asked]
    for task in range(8):
        model = LogisticRegression(C=1e3)
        model.fit(inputs["support_x"][task].numpy(), inputs["support_y"][task].numpy())
        for other in range(8):
            x, y = inputs["query_x"][other].numpy(), query_y[other].numpy()
            right[task, other] = np.mean(model.predict(x) == y)
    assert np.diag(right).min() > 0.93
    assert np.mean(right[~np.eye(8, dtype=bool)]) < 0.75


def test_e6_6_as_printed_support_tells_nothing_about_query():
    x, y, query_x, query_y = one_task(20_000, as_printed=True)
    model = LogisticRegression().fit(x, y)
    assert abs(np.mean(model.predict(query_x) == query_y) - 0.5) < 0.02  # 4 standard errors


@pytest.mark.parametrize("as_printed", [False, True])
def test_labels_are_balanced(as_printed):
    _, query_y = HyperplaneTasks(1, 100, tasks=400, as_printed=as_printed)(0)
    assert np.mean(query_y) == pytest.approx(0.5, abs=0.01)


def test_labels_are_the_side_of_the_hyperplane_with_or_without_a_bias():
    sampler = HyperplaneTasks(1, 50, tasks=20)
    inputs, query_y = sampler(3)
    w = sampler.normals(3).numpy().astype(float)
    for centre in (0, 0.5):
        score = np.einsum("tid,td->ti", inputs["query_x"].numpy() - centre, w)
        clear = np.abs(score) > 1e-4
        np.testing.assert_array_equal(query_y.numpy()[clear], score[clear] > 0)


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_tasks_of_every_seed_share_one_subspace_and_fill_it(rank):
    def normals(seed, index):
        return HyperplaneTasks(1, 1, tasks=500, seed=seed, rank=rank).normals(index).numpy()

    pooled = np.concatenate([normals(0, 0), normals(1, 0), normals(0, 9)])
    centre = pooled.mean(axis=0)
    assert np.linalg.norm(centre) == pytest.approx(1.0, abs=0.1)  # e_1 of the subspace
    pooled = pooled - centre
    values = np.linalg.svd(pooled, compute_uv=False) / np.sqrt(len(pooled))
    assert values[:rank] == pytest.approx(np.ones(rank), abs=0.1)
    assert values[rank:].max() < 1e-5


def test_same_seed_and_index_give_the_same_tasks_others_do_not():
    def x(seed, index):
        return HyperplaneTasks(5, 5, tasks=3, seed=seed)(index)[0]["support_x"]

    np.testing.assert_array_equal(x(1, 5), x(1, 5))
    for seed, index in ((1, 6), (2, 5), (5, 1)):
        assert np.abs(x(1, 5) - x(seed, index)).max() > 0.1


@pytest.mark.parametrize("as_printed", [False, True])
def test_eager_graph_and_xla_draw_the_same_tasks(as_printed):
    sampler = HyperplaneTasks(10, 10, tasks=25, seed=4, as_printed=as_printed)
    eager = tf.nest.flatten(sampler(7))
    for xla in (False, True):
        graph = tf.nest.flatten(tf.function(sampler, jit_compile=xla)(tf.constant(7)))
        for a, b in zip(eager, graph, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"query": 0}, ["query 0", "at least 1"]),
        ({"rank": 0}, ["rank is 0", "at least 1"]),
        ({"rank": 50}, ["rank is 50", "dim 50", "less than dim"]),
    ],
)
def test_impossible_tasks_are_refused_when_the_sampler_is_built(options, words):
    with pytest.raises(DataError) as caught:
        HyperplaneTasks(**{"shot": 5, "query": 5, **options})
    for word in words:
        assert word in str(caught.value)
