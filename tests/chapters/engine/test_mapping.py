"""Task mapping: both modes equal a Python loop, memory of one task, no retracing."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.engine.functional import add_scaled, call_with_weights
from chapters.engine.mapping import MODES, each_task, map_tasks, mean_over_tasks
from chapters.engine.per_task import call_per_task, repeat_for_tasks


def network():
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.layers.Input((3,)),
            keras.layers.Dense(8, activation="tanh"),
            keras.layers.Dense(1),
        ]
    )


def tasks(count=5):
    rng = np.random.default_rng(3)
    shape = {"support_x": [count, 6, 3], "support_y": [count, 6, 1]}
    shape |= {"query_x": [count, 4, 3], "query_y": [count, 4, 1]}
    return {name: tf.constant(rng.normal(size=s), tf.float32) for name, s in shape.items()}


def task_loss_of(model):
    """One inner step on the support set, loss on the queries: the hard case, second order."""

    def task_loss(task):
        weights = [tf.convert_to_tensor(v) for v in model.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            error = call_with_weights(model, weights, task["support_x"]) - task["support_y"]
            inner = tf.reduce_mean(error**2)
        adapted = add_scaled(weights, -0.1, tape.gradient(inner, weights))
        error = call_with_weights(model, adapted, task["query_x"]) - task["query_y"]
        loss = tf.reduce_mean(error**2)
        return loss, {"inner": inner, "error": tf.reduce_mean(tf.abs(error))}

    return task_loss


def loss_of_tasks_of(model):
    """The same for tasks with a leading axis: losses and metrics [task]."""

    def mean(x):
        return tf.reduce_mean(x, axis=[1, 2])  # [task]

    def loss_of_tasks(batch):
        weights = repeat_for_tasks(model.trainable_variables, tf.shape(batch["query_x"])[0])
        with tf.GradientTape() as tape:
            tape.watch(weights)
            inner = mean(
                (call_per_task(model, weights, batch["support_x"]) - batch["support_y"]) ** 2
            )
        adapted = add_scaled(weights, -0.1, tape.gradient(inner, weights))
        error = call_per_task(model, adapted, batch["query_x"]) - batch["query_y"]
        return mean(error**2), {"inner": inner, "error": mean(tf.abs(error))}

    return loss_of_tasks


def gradient_of(loss_of_tasks, variables):
    """What a chapter writes: tape, loss, gradient of the tasks' mean loss."""

    def gradient(batch):
        with tf.GradientTape() as tape:
            losses, metrics = loss_of_tasks(batch)
            loss = tf.reduce_mean(losses)
        return tape.gradient(loss, variables), {"loss": losses, **metrics}

    return gradient


def python_loop(task_loss, variables, batch):
    """Losses, metrics and gradients of each task, one after the other, eagerly."""
    count = len(next(iter(batch.values())))
    losses, metrics, gradients = [], [], []
    for number in range(count):
        with tf.GradientTape() as tape:
            loss, values = task_loss({name: x[number] for name, x in batch.items()})
        losses.append(loss.numpy())
        metrics.append({name: value.numpy() for name, value in values.items()})
        gradients.append([g.numpy() for g in tape.gradient(loss, variables)])
    return losses, metrics, gradients


@pytest.mark.parametrize("graph", [False, True])
def test_map_tasks_equals_a_python_loop(graph):
    model, batch = network(), tasks()
    task_loss = task_loss_of(model)
    run = tf.function(map_tasks) if graph else map_tasks
    losses, metrics = run(task_loss, batch)
    variables = model.trainable_variables
    expected, expected_metrics, _ = python_loop(task_loss, variables, batch)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for name, value in metrics.items():
        np.testing.assert_allclose(value, [m[name] for m in expected_metrics], rtol=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_mean_over_tasks_equals_a_python_loop(mode, count):
    model, batch = network(), tasks(count)
    variables = model.trainable_variables
    gradient = gradient_of(loss_of_tasks_of(model), variables)
    run = tf.function(lambda batch: mean_over_tasks(gradient, batch, mode))
    gradients, metrics = run(batch)
    losses, expected_metrics, expected = python_loop(task_loss_of(model), variables, batch)
    np.testing.assert_allclose(metrics.pop("loss"), np.mean(losses), rtol=1e-5)
    for number, gradient in enumerate(gradients):
        mean = np.mean([g[number] for g in expected], axis=0)
        np.testing.assert_allclose(gradient, mean, rtol=1e-4, atol=1e-6)
    assert metrics.keys() == {"inner", "error"}
    for name, value in metrics.items():
        np.testing.assert_allclose(value, np.mean([m[name] for m in expected_metrics]), rtol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_no_retracing_after_the_first_call(mode):
    gradient = gradient_of(loss_of_tasks_of(network()), [])
    traces = []

    def counted(batch):
        traces.append(1)
        return gradient(batch)

    step = tf.function(lambda batch: mean_over_tasks(counted, batch, mode)[1])
    step(tasks())
    warm = len(traces)
    for _ in range(3):
        step(tasks())
    assert len(traces) == warm
    assert step.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_variable_outside_the_loss_gets_no_gradient(mode):
    """None comes back in both modes, for ``apply_gradients`` to name the variable."""
    used, unused, tasks = tf.Variable(2.0), tf.Variable(3.0), tf.constant([1.0, 2.0])
    gradient = gradient_of(lambda x: (used * x, {}), [unused, used])
    gradients, _ = mean_over_tasks(gradient, tasks, mode)
    assert gradients[0] is None
    assert float(gradients[1]) == 1.5


@pytest.mark.parametrize("mode", MODES)
def test_what_is_kept_apart_is_that_of_each_task(mode):
    model, batch = network(), tasks()
    loss_of_tasks = loss_of_tasks_of(model)
    losses, metrics = tf.function(lambda batch: each_task(loss_of_tasks, batch, mode))(batch)
    expected, expected_metrics, _ = python_loop(task_loss_of(model), [], batch)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for name, value in metrics.items():
        np.testing.assert_allclose(value, [m[name] for m in expected_metrics], rtol=1e-5)


@pytest.mark.parametrize("schedule", [mean_over_tasks, each_task])
def test_an_unknown_mode_is_refused(schedule):
    with pytest.raises(ValueError, match="'vectorized'.*sequential, batched"):
        schedule(lambda x: ([x], {}), tf.ones([2]), "vectorized")


MEMORY = """
import re, sys
from pathlib import Path
import chapters
import tensorflow as tf
from chapters.engine.mapping import mean_over_tasks

weight = tf.Variable(tf.ones([256, 256]) / 256)

def gradient(x):
    with tf.GradientTape() as tape:
        for _ in range(20):  # 20 intermediate results of 2 MB each are kept for a task's gradient
            x = tf.tanh(x @ weight)
        loss = tf.reduce_mean(x)
    return tape.gradient(loss, [weight]), {}

@tf.function
def step(count):
    tasks = tf.ones([count, 2048, 256])
    return mean_over_tasks(gradient, tasks, sys.argv[1])

def peak():
    # Not ru_maxrss: a process inherits that of the one that started it.
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) / 1024

step(tf.constant(2))
before = peak()
step(tf.constant(int(sys.argv[2])))
print(peak() - before)
"""


def memory_growth(mode, count):
    """MB by which the peak of memory grows from 2 to ``count`` tasks, in a process of its own."""
    command = [sys.executable, "-c", MEMORY, mode, str(count)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_memory_of_the_sequential_mode_is_that_of_one_task():
    """12 tasks more are 24 MB of input, and 480 MB of intermediate results if they are kept."""
    sequential, batched = memory_growth("sequential", 14), memory_growth("batched", 14)
    print(f"growth of peak memory from 2 to 14 tasks: {sequential:.0f} MB, {batched:.0f} MB")
    assert sequential < 120
    assert batched > 300  # so the measure would have seen it
