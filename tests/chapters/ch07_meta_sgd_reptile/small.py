"""Small networks and tasks, and what a training step did to the weights."""

import keras
import numpy as np
import tensorflow as tf


def network(inputs=2, hidden=4, outputs=1):
    """Two smooth layers, away from kinks, in the present precision of Keras."""
    layers = [keras.layers.Dense(hidden, "tanh"), keras.layers.Dense(outputs)]
    return keras.Sequential([keras.layers.Input((inputs,)), *layers])


def regression(tasks=3, support=5, query=4, inputs=2, seed=0):
    """A batch of random regression tasks in the present precision of Keras."""
    rng = np.random.default_rng(seed)
    shapes = {
        "support_x": [tasks, support, inputs],
        "support_y": [tasks, support, 1],
        "query_x": [tasks, query, inputs],
    }
    data = {name: tensor(rng.normal(size=shape)) for name, shape in shapes.items()}
    return data, tensor(rng.normal(size=[tasks, query, 1]))


def classification(tasks=3, support=6, query=4, inputs=2, way=3, seed=0):
    """A batch of random classification tasks."""
    inputs, query_y = regression(tasks, support, query, inputs, seed)
    inputs["support_y"] = tf.tile(tf.range(support)[None] % way, [tasks, 1])
    return inputs, tf.tile(tf.range(query)[None] % way, [tasks, 1])


def tensor(x):
    """Numbers in the present precision of Keras."""
    return tf.constant(x, keras.config.floatx())


def one_task(batch, number):
    """Task ``number`` as a batch of its own."""
    return tf.nest.map_structure(lambda x: x[number : number + 1], batch)


def steps_of(train_step, learner, batches, mode="batched", epsilon=1.0, compiled=None):
    """Weights before and after training steps with ``SGD(epsilon)``, and the metrics of the last.

    The learner gets its old weights back.
    """
    optimizer = keras.optimizers.SGD(epsilon)
    optimizer.build(learner.trainable_variables)
    step = train_step(learner, optimizer, mode)
    if compiled is not None:
        step = tf.function(step, jit_compile=compiled)
    before = [v.numpy() for v in learner.trainable_variables]
    for number, batch in enumerate(batches):
        metrics = step(batch, tf.constant([0, number]))
    after = [v.numpy() for v in learner.trainable_variables]
    for variable, value in zip(learner.trainable_variables, before, strict=True):
        variable.assign(value)
    return before, after, metrics


def gradient_of(train_step, learner, batch, mode="batched", compiled=None):
    """What a training step hands to the optimizer, {path: array}: SGD(1) subtracts just that."""
    before, after, _ = steps_of(train_step, learner, [batch], mode, 1.0, compiled)
    variables = learner.trainable_variables
    return {v.path: b - a for v, b, a in zip(variables, before, after, strict=True)}


def central_differences(loss, variables, width=1e-5):
    """Gradient of ``loss()`` by moving every coordinate of ``variables``: {path: array}."""
    gradients = {}
    for variable in variables:
        start = variable.numpy()
        gradient = np.zeros_like(start)
        for position in np.ndindex(start.shape):
            sides = []
            for sign in (1, -1):
                moved = start.copy()
                moved[position] += sign * width
                variable.assign(moved)
                sides.append(float(loss()))
            gradient[position] = (sides[0] - sides[1]) / (2 * width)
        variable.assign(start)
        gradients[variable.path] = gradient
    return gradients


def relative_error(found, expected) -> float:
    """Largest difference over largest value, of two lists of arrays."""
    found, expected = (np.concatenate([np.ravel(x) for x in xs]) for xs in (found, expected))
    return float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))
