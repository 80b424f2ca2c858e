"""The unrolled LSTM optimizer in PyTorch, to measure against; the library is not required.

Eager, as public code has it: a Python loop over the steps, the loss differentiated for the gradient
that goes in and once more, with everything else, at the end. The weights are those of an
``LSTMRule`` without preprocessing, so both must give the same losses.
"""

import numpy as np


def torch_rule(rule):
    """The two LSTM cells and the linear layer of an LSTMRule as PyTorch modules."""
    import torch

    def parameter(array):
        return torch.nn.Parameter(torch.tensor(np.ascontiguousarray(array)))

    cells = []
    for cell in rule.cells:
        kernel, recurrent, bias = (
            w.numpy() for w in (cell.kernel, cell.recurrent_kernel, cell.bias)
        )
        ours = torch.nn.LSTMCell(len(kernel), rule.units)
        # Both have the gates in the order input, forget, candidate, output.
        ours.weight_ih, ours.weight_hh = parameter(kernel.T), parameter(recurrent.T)
        ours.bias_ih = parameter(bias)
        # PyTorch's LSTM adds two biases; Keras' has one.
        ours.bias_hh = torch.nn.Parameter(torch.zeros(len(bias)), requires_grad=False)
        cells.append(ours)
    head = torch.nn.Linear(rule.units, 1)
    head.weight, head.bias = (
        parameter(rule.head.kernel.numpy().T),
        parameter(rule.head.bias.numpy()),
    )
    return torch.nn.ModuleList([*cells, head])


def torch_unroll(rule, data: dict, steps: int, unroll: int, learning_rate: float):
    """A training run of ``steps`` steps on fixed quadratics, and an update after every ``unroll``.

    Args:
        rule: LSTMRule whose weights are the first ones.
        data: a batch of ``problems.Quadratics`` as arrays.
        steps: of the run, a multiple of ``unroll``.
        unroll: steps of an unrolling.
        learning_rate: of Adam.

    Returns:
        A function that returns the mean meta-loss; that of an unrolling is the sum over its steps.
    """
    import torch

    modules = torch_rule(rule)
    *cells, head = modules
    trained = [p for p in modules.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, learning_rate)
    w, y, start = (torch.tensor(np.asarray(data[name])) for name in ("w", "y", "start"))
    rows = start.numel()  # problem * coordinate

    def loss_of(theta):
        return (((w @ theta[..., None])[..., 0] - y) ** 2).sum(dim=-1)  # [problem]

    def unrolling(theta, states):
        """Loss, theta and states after some steps, and an update; nothing reaches further back."""
        theta = theta.detach().requires_grad_()
        states = [tuple(part.detach() for part in state) for state in states]
        total, loss = 0.0, loss_of(theta)
        for _ in range(unroll):
            (gradient,) = torch.autograd.grad(loss.sum(), theta, retain_graph=True)
            x = gradient.detach().reshape(rows, 1)
            for number, cell in enumerate(cells):
                states[number] = cell(x, states[number])
                x = states[number][0]
            theta = theta + rule.scale * head(x).reshape(theta.shape)
            loss = loss_of(theta)
            total = total + loss.mean()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        return total.item(), theta, states

    def call():
        theta, states = start, [2 * (torch.zeros(rows, rule.units),) for _ in cells]
        losses = []
        for _ in range(steps // unroll):
            loss, theta, states = unrolling(theta, states)
            losses.append(loss)
        return float(np.mean(losses))

    return call


def torch_training_run(problems: int, steps: int, unroll: int, learning_rate: float):
    """That run with a fresh rule, for a process of its own (``engine.apart``)."""
    from chapters.ch01_learned_optimizers.benchmark import fresh

    rule, problem = fresh(problems)
    data = {name: x.numpy() for name, x in problem(0).items()}
    return torch_unroll(rule, data, steps, unroll, learning_rate)
