"""MAML without automatic differentiation: the meta-gradient by hand, in NumPy.

For regression networks of dense layers with ReLU between them. The weights are a list
[W_1, b_1, ..., W_L, b_L], W_l [in, out], b_l [out], in the order of Keras' ``trainable_variables``;
with no hidden layer the loss is quadratic. A task is (support_x, support_y, query_x, query_y),
x [point, in], y [point, out]. Everything is as exact as its input: use float64.

One step of the algorithm in words: forward and backward on the support set, W' = W - alpha dW,
forward and backward on the query set with W', and that gradient taken back through W' to W.
"""

import numpy as np


def initialise(widths, seed: int = 0) -> list[np.ndarray]:
    """He normal kernels and zero biases for layers such as ``(1, 40, 40, 1)``."""
    rng = np.random.default_rng(seed)
    weights = []
    for fan_in, fan_out in zip(widths[:-1], widths[1:], strict=True):
        weights.append(rng.normal(0, np.sqrt(2 / fan_in), [fan_in, fan_out]))
        weights.append(np.zeros(fan_out))
    return weights


def forward(weights, x):
    """Prediction [point, out] and the input of every layer, [point, width] each."""
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    inputs = [x]
    for kernel, bias in layers[:-1]:
        # a_l = h_{l-1} W_l + b_l,   h_l = relu(a_l)
        inputs.append(np.maximum(inputs[-1] @ kernel + bias, 0))  # [point, width]
    kernel, bias = layers[-1]
    return inputs[-1] @ kernel + bias, inputs


def loss(weights, x, y) -> float:
    """Mean squared error over the points."""
    return np.mean((forward(weights, x)[0] - y) ** 2)


def gradient(weights, x, y) -> list[np.ndarray]:
    """Gradient of ``loss`` with respect to the weights."""
    prediction, inputs = forward(weights, x)
    # L = mean (f - y)^2,   d_L = dL/da_L = 2 (f - y) / n
    delta = 2 * (prediction - y) / y.size  # [point, out]
    gradients = []
    for layer in reversed(range(len(inputs))):
        h, kernel = inputs[layer], weights[2 * layer]
        # dL/dW_l = h_{l-1}^T d_l,   dL/db_l = sum over points of d_l
        gradients = [h.T @ delta, delta.sum(axis=0), *gradients]
        # d_{l-1} = d_l W_l^T * relu'(a_{l-1})
        delta = (delta @ kernel.T) * (h > 0)  # [point, width]
    return gradients


def hessian_vector_product(weights, x, y, vector) -> list[np.ndarray]:
    """H v for the Hessian H of ``loss``, without H.

    Pearlmutter's R-operator (1994), R{f(w)} = d/dr f(w + r v) at r = 0: H v = R{gradient}. It is
    applied to each line of ``forward`` and ``gradient`` by the product rule; R{W} = v_W, R{x} = 0,
    and relu'' = 0 except at the kink.
    """
    prediction, inputs = forward(weights, x)
    kernels, r_kernels, r_biases = weights[::2], vector[::2], vector[1::2]
    last = len(kernels) - 1

    r_inputs, r_h = [], np.zeros_like(x)
    for layer, h in enumerate(inputs):
        r_inputs.append(r_h)
        # R{a_l} = R{h_{l-1}} W_l + h_{l-1} R{W_l} + R{b_l},   R{h_l} = R{a_l} * relu'(a_l)
        r_h = r_h @ kernels[layer] + h @ r_kernels[layer] + r_biases[layer]  # [point, width]
        if layer < last:
            r_h = r_h * (inputs[layer + 1] > 0)

    # R{d_L} = 2 R{f} / n
    delta, r_delta = 2 * (prediction - y) / y.size, 2 * r_h / y.size  # [point, out]
    products = []
    for layer in reversed(range(last + 1)):
        h, r_h = inputs[layer], r_inputs[layer]
        # R{dL/dW_l} = R{h_{l-1}}^T d_l + h_{l-1}^T R{d_l},   R{dL/db_l} = sum R{d_l}
        products = [r_h.T @ delta + h.T @ r_delta, r_delta.sum(axis=0), *products]
        # R{d_{l-1}} = (R{d_l} W_l^T + d_l R{W_l}^T) * relu'(a_{l-1})
        r_delta = (r_delta @ kernels[layer].T + delta @ r_kernels[layer].T) * (h > 0)
        delta = (delta @ kernels[layer].T) * (h > 0)
    return products


def adapt(weights, x, y, rate: float, steps: int) -> list[list[np.ndarray]]:
    """The path of the inner loop: the weights after 0, 1, ..., ``steps`` steps."""
    path = [weights]
    for _ in range(steps):
        # theta_{i+1} = theta_i - alpha g(theta_i)
        path.append(add_scaled(path[-1], -rate, gradient(path[-1], x, y)))
    return path


def meta_loss(weights, tasks, rate: float, steps: int) -> float:
    """Loss on the query sets after adaptation to the support sets, mean over tasks."""
    return np.mean([loss(adapt(weights, x, y, rate, steps)[-1], *query) for x, y, *query in tasks])


def meta_gradient(
    weights, tasks, rate: float, steps: int, first_order: bool = False
) -> list[np.ndarray]:
    """Gradient of ``meta_loss`` with respect to the weights before adaptation.

    Args:
        weights: see the module.
        tasks: sequence of (support_x, support_y, query_x, query_y).
        rate: inner learning rate alpha.
        steps: inner steps, 0 or more.
        first_order: leave the Hessians out (FOMAML).
    """
    total = [np.zeros_like(w) for w in weights]
    for x, y, query_x, query_y in tasks:
        *path, adapted = adapt(weights, x, y, rate, steps)
        v = gradient(adapted, query_x, query_y)
        # d theta_{i+1} / d theta_i = I - alpha H(theta_i): from the last step back to the first
        for point in reversed([] if first_order else path):
            v = add_scaled(v, -rate, hessian_vector_product(point, x, y, v))
        total = add_scaled(total, 1 / len(tasks), v)
    return total


def add_scaled(weights, scale: float, directions) -> list[np.ndarray]:
    """``w + scale * d`` for each pair."""
    return [w + scale * d for w, d in zip(weights, directions, strict=True)]
