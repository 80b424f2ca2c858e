"""The copy model in PyTorch, to measure against; the library is not required.

Eager, as public code has it: a Python loop over the steps of a sequence. The equations are those of
``ntm`` and ``addressing``, and so are the weights, so both must give the same logits.
"""

from chapters.ch05_memory.addressing import LENGTH_EPSILON, WEIGHT_EPSILON


def torch_ntm(cell):
    """A PyTorch module with the weights of an NTMCell, x [batch, time, channel] -> logits.

    For LSTM controllers and all four steps of addressing.
    """
    import torch

    def parameter(variable):
        return torch.nn.Parameter(torch.tensor(variable.numpy()), bool(variable.trainable))

    def linear(dense):
        layer = torch.nn.Linear(*dense.kernel.shape)
        layer.weight = torch.nn.Parameter(torch.tensor(dense.kernel.numpy().T.copy()))
        layer.bias = parameter(dense.bias)
        return layer

    def length(vector):
        return torch.sqrt(torch.sum(vector**2, dim=-1) + LENGTH_EPSILON)

    class NTM(torch.nn.Module):
        def __init__(self):
            super().__init__()
            kernels = cell.controller.kernel.numpy(), cell.controller.recurrent_kernel.numpy()
            self.controller = torch.nn.LSTMCell(len(kernels[0]), cell.rnn_size)
            self.controller.weight_ih = torch.nn.Parameter(torch.tensor(kernels[0].T.copy()))
            self.controller.weight_hh = torch.nn.Parameter(torch.tensor(kernels[1].T.copy()))
            self.controller.bias_ih = parameter(cell.controller.bias)
            # PyTorch's LSTM adds two biases; Keras' has one.
            self.controller.bias_hh = torch.nn.Parameter(torch.zeros(4 * cell.rnn_size), False)
            self.heads, self.output = linear(cell.heads), linear(cell.output_layer)
            self.first_read = parameter(cell.first_read)
            self.first_weight = parameter(cell.first_weight)
            self.first_memory = parameter(cell.first_memory)

        def forward(self, x):
            batch = x.shape[0]
            state = 2 * (x.new_zeros(batch, cell.rnn_size),)
            read = torch.tanh(self.first_read).expand(batch, -1, -1)  # [batch, read head, width]
            weight = torch.softmax(self.first_weight, dim=-1).expand(batch, -1, -1)
            memory = self.first_memory.expand(batch, -1, -1)  # [batch, slot, width]
            logits = []
            for inputs in x.unbind(1):
                state = self.controller(torch.cat([inputs, read.flatten(1)], dim=-1), state)
                shared, erase, add = self.split(self.heads(state[0]))
                weight = self.addressing(shared, weight, memory)  # [batch, head, slot]
                read_weight, write_weight = weight.split(
                    [cell.read_head_num, cell.write_head_num], dim=1
                )
                read = read_weight @ memory
                erased = 1 - write_weight[..., None] * erase[:, :, None]
                memory = memory * erased.prod(dim=1) + write_weight.transpose(1, 2) @ add
                logits.append(self.output(torch.cat([state[0], read.flatten(1)], dim=-1)))
            return torch.stack(logits, dim=1)  # [batch, time, bit]

        def split(self, parameters):
            writes, width = cell.write_head_num, cell.memory_vector_dim
            sizes = [cell.head_num * sum(cell.head_sizes), writes * width, writes * width]
            shared, erase, add = parameters.split(sizes, dim=-1)
            shared = shared.unflatten(-1, (cell.head_num, -1))  # [batch, head, parameter]
            erase, add = (x.unflatten(-1, (writes, width)) for x in (erase, add))
            return shared, torch.sigmoid(erase), torch.tanh(add)

        def addressing(self, shared, previous, memory):
            key, beta, gate, shifts, gamma = shared.split(cell.head_sizes, dim=-1)
            softplus = torch.nn.functional.softplus
            key, gate, shifts = torch.tanh(key), torch.sigmoid(gate), torch.softmax(shifts, dim=-1)
            product = key @ memory.transpose(1, 2)  # [batch, head, slot]
            similarity = product / (length(key)[:, :, None] * length(memory)[:, None])
            weight = torch.softmax(softplus(beta) * similarity, dim=-1)
            weight = gate * weight + (1 - gate) * previous
            weight = sum(
                torch.roll(weight, move, dims=-1) * share
                for move, share in zip(
                    range(-cell.shift_range, cell.shift_range + 1),
                    shifts.split(1, dim=-1),
                    strict=True,
                )
            )
            logarithm = torch.log(weight + WEIGHT_EPSILON)
            return torch.softmax((1 + softplus(gamma)) * logarithm, dim=-1)

    return NTM()


def torch_step(cell, batch, learning_rate: float, clip: float):
    """Training step of that module on a fixed batch: a function that returns the loss.

    Args:
        cell: NTMCell whose weights are the first ones.
        batch: ``Sequences`` without padding.
        learning_rate: of Adam.
        clip: largest norm of the gradient.
    """
    import torch

    network = torch_ntm(cell)

    optimizer = torch.optim.Adam(network.parameters(), learning_rate)
    asked = torch.tensor(batch.asked.numpy() > 0)
    x, y = torch.tensor(batch.x.numpy()), torch.tensor(batch.y.numpy())[:, asked]

    def call():
        optimizer.zero_grad()
        logits = network(x)[:, asked]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimizer.step()
        return loss.item()

    return call


def torch_copy_step(options: dict, length: int):
    """That step for the copy model of ``options``: for a process of its own (``engine.apart``).

    Args:
        options: of ``NTMConfig``.
        length: vectors to copy.
    """
    from chapters.ch05_memory import train_ntm
    from chapters.ch05_memory.presets import NTMConfig

    config = NTMConfig(**options)
    batch = train_ntm.test_task(config, length, sequences=config.batch)(0)
    cell = train_ntm.build(config).cell
    return torch_step(cell, batch, config.learning_rate, config.clip)
