"""What the tests of all gradient-based learners need: tasks, gradients of steps, differences."""

import keras
import numpy as np
import tensorflow as tf


def tanh_network(inputs=2, outputs=1, hidden=4):
    """A small smooth network; its biases are not zero, so nothing vanishes by chance."""
    bias = {"bias_initializer": keras.initializers.RandomNormal(stddev=0.5)}
    return keras.Sequential(
        [
            keras.layers.Input((inputs,)),
            keras.layers.Dense(hidden, activation="tanh", **bias),
            keras.layers.Dense(outputs, **bias),
        ]
    )


def regression(tasks=3, support=5, query=4, inputs=2, outputs=1, seed=5, dtype=tf.float64):
    """Random targets: a batch (inputs, query_y), as a sampler gives it."""
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return tf.constant(rng.normal(size=shape), dtype)

    given = {
        "support_x": normal(tasks, support, inputs),
        "support_y": normal(tasks, support, outputs),
        "query_x": normal(tasks, query, inputs),
    }
    return given, normal(tasks, query, outputs)


def classification(shape=(2,), tasks=3, way=3, shot=2, query=3, seed=6, dtype=tf.float64):
    """Random inputs within 0.2 and 0.8, labels in every order: a batch (inputs, query_y)."""
    rng = np.random.default_rng(seed)

    def labels(each):
        return np.stack([rng.permutation(np.repeat(np.arange(way), each)) for _ in range(tasks)])

    def uniform(each):
        return tf.constant(rng.uniform(0.2, 0.8, size=[tasks, way * each, *shape]), dtype)

    support_y = tf.constant(labels(shot), tf.int32)
    given = {"support_x": uniform(shot), "support_y": support_y, "query_x": uniform(query)}
    return given, tf.constant(labels(query), tf.int32)


def one_task(batch, number):
    """A batch of one of the tasks."""
    return tf.nest.map_structure(lambda x: x[number : number + 1], batch)


def step_gradient(train_step, learner, batch, mapping="batched", compiler=None):
    """What a training step subtracts at rate 1: the outer gradient. The weights are put back.

    Args:
        train_step: of a chapter.
        learner: of the same.
        batch: tasks.
        mapping: of the engine.
        compiler: step -> step, such as ``tf.function``.
    """
    before = [v.numpy() for v in learner.trainable_variables]
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build(learner.trainable_variables)
    step = train_step(learner, optimizer, mapping)
    (compiler(step) if compiler else step)(batch)
    gradients = []
    for variable, start in zip(learner.trainable_variables, before, strict=True):
        gradients.append(start - variable.numpy())
        variable.assign(start)
    return gradients


def central_differences(function, variables, h=1e-5):
    """Derivatives of ``function()`` by every entry of ``variables``: arrays [*entry, *result]."""
    compiled = tf.function(function)
    results = []
    for variable in variables:
        start = variable.numpy()
        derivative = np.zeros([*start.shape, *compiled().shape])
        for place in np.ndindex(*start.shape):
            at = []
            for sign in (1, -1):
                moved = start.copy()
                moved[place] += sign * h
                variable.assign(moved)
                at.append(compiled().numpy())
            derivative[place] = (at[0] - at[1]) / (2 * h)
        variable.assign(start)
        results.append(derivative)
    return results


def assert_close(found, expected, relative):
    """Each gradient of a list: norm of the difference, relative to the norm; none is zero."""
    assert len(found) == len(expected) > 0
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        assert np.linalg.norm(ours) > 0
        assert np.linalg.norm(ours - theirs) <= relative * np.linalg.norm(theirs)


def differ(found, expected) -> float:
    """Norm of the difference of two lists of gradients, relative to the second's."""
    ours, theirs = (np.concatenate([np.ravel(g) for g in x]) for x in (found, expected))
    return np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)


def use(dtype):
    """Networks made from here on compute in ``dtype``."""
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)


def query_loss(learner, batch):
    """Mean loss of the adapted learner on the queries of all tasks."""
    inputs, query_y = batch
    return tf.reduce_mean(learner.objective(query_y, learner(inputs, training=True)))
