"""The same MAML steps in other libraries, to measure against; none of them is required.

Each function returns a step that has finished when it returns; the benchmark has it made and called
in a process of its own (``engine.apart``).
Networks, tasks and optimizer are those of the benchmark: Adam, second order, sampling included for
sine curves.
"""

import math

RATE, BETA = 0.01, 1e-3


def jax_sine(tasks: int, points: int, steps: int):
    """JAX: jit of a scan over ``steps`` meta-steps, vmap over tasks."""
    import jax
    import jax.numpy as jnp

    def network(w, x):
        hidden = jax.nn.relu(x @ w[0] + w[1])
        return jax.nn.relu(hidden @ w[2] + w[3]) @ w[4] + w[5]

    def error(w, x, y):
        return jnp.mean((network(w, x) - y) ** 2)

    def task_loss(w, support_x, support_y, query_x, query_y):
        gradients = jax.grad(error)(w, support_x, support_y)
        adapted = [a - RATE * g for a, g in zip(w, gradients, strict=True)]
        return error(adapted, query_x, query_y)

    def batch(index):
        key = jax.random.fold_in(jax.random.PRNGKey(0), index)
        u = jax.random.uniform(key, (tasks, 2 + 2 * points))
        x = 10.0 * u[:, 2:, None] - 5.0
        y = (0.1 + 4.9 * u[:, :1, None]) * jnp.sin(x + math.pi * u[:, 1:2, None])
        return x[:, :points], y[:, :points], x[:, points:], y[:, points:]

    def loss(w, index):
        return jnp.mean(jax.vmap(task_loss, (None, 0, 0, 0, 0))(w, *batch(index)))

    def meta_step(state, index):
        w, m, v, count = state
        value, gradients = jax.value_and_grad(loss)(w, index)
        count += 1
        m = [0.9 * a + 0.1 * g for a, g in zip(m, gradients, strict=True)]
        v = [0.999 * a + 0.001 * g * g for a, g in zip(v, gradients, strict=True)]
        scale = BETA * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        w = [a - scale * b / (jnp.sqrt(c) + 1e-7) for a, b, c in zip(w, m, v, strict=True)]
        return (w, m, v, count), value

    @jax.jit
    def run(state):
        return jax.lax.scan(meta_step, state, jnp.arange(steps))

    glorot, keys = jax.nn.initializers.glorot_uniform(), jax.random.split(jax.random.PRNGKey(1), 3)
    w = []
    for key, (rows, columns) in zip(keys, ((1, 40), (40, 40), (40, 1)), strict=True):
        w += [glorot(key, (rows, columns)), jnp.zeros(columns)]
    state = [(w, [0 * a for a in w], [0 * a for a in w], 0.0)]

    def call():
        state[0], losses = run(state[0])
        losses.block_until_ready()

    return call


def torch_sine_loop(tasks: int, points: int):
    """PyTorch: a Python loop over the tasks, each with a differentiable copy of the weights."""
    import torch
    from torch.func import functional_call

    network = torch.nn.Sequential(
        torch.nn.Linear(1, 40), torch.nn.ReLU(),
        torch.nn.Linear(40, 40), torch.nn.ReLU(), torch.nn.Linear(40, 1),
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), BETA)

    def error(weights, x, y):
        return torch.mean((functional_call(network, weights, x) - y) ** 2)

    def call():
        amplitude, phase = 0.1 + 4.9 * torch.rand(tasks, 1, 1), math.pi * torch.rand(tasks, 1, 1)
        x = 10 * torch.rand(tasks, 2 * points, 1) - 5
        y = amplitude * torch.sin(x + phase)
        total = 0.0
        for task in range(tasks):
            weights = dict(network.named_parameters())
            support = x[task, :points], y[task, :points]
            gradients = torch.autograd.grad(
                error(weights, *support), list(weights.values()), create_graph=True
            )
            pairs = zip(weights.items(), gradients, strict=True)
            adapted = {name: w - RATE * g for (name, w), g in pairs}
            total = total + error(adapted, x[task, points:], y[task, points:]) / tasks
        optimizer.zero_grad()
        total.backward()
        optimizer.step()

    return call


def torch_conv(tasks: int, way: int, query: int, inner_steps: int, inner_rate: float):
    """PyTorch: ``torch.func.vmap`` over tasks of the convolutional network, batch statistics."""
    import torch
    from torch.func import functional_call, grad, vmap

    blocks, channels = [], 1
    for _ in range(4):
        convolution = torch.nn.Conv2d(channels, 64, 3, stride=2, padding=1, bias=False)
        blocks += [convolution, torch.nn.BatchNorm2d(64, track_running_stats=False)]
        blocks += [torch.nn.ReLU()]
        channels = 64
    mean = [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    network = torch.nn.Sequential(*blocks, *mean, torch.nn.Linear(64, way))
    optimizer = torch.optim.Adam(network.parameters(), BETA)
    support_x, query_x = (
        torch.rand(tasks, way, 1, 28, 28),
        torch.rand(tasks, way * query, 1, 28, 28),
    )
    support_y, query_y = torch.arange(way), torch.arange(way).repeat_interleave(query)

    def loss(weights, x, y):
        return torch.nn.functional.cross_entropy(functional_call(network, weights, x), y)

    def task_loss(weights, support_x, query_x):
        for _ in range(inner_steps):
            gradients = grad(loss)(weights, support_x, support_y)
            weights = {name: w - inner_rate * gradients[name] for name, w in weights.items()}
        return loss(weights, query_x, query_y)

    def call():
        weights = dict(network.named_parameters())
        losses = vmap(task_loss, (None, 0, 0))(weights, support_x, query_x)
        optimizer.zero_grad()
        losses.mean().backward()
        optimizer.step()

    return call
