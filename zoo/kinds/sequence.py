"""Sequences of bits, for networks with a memory."""

import numpy as np

from zoo.kinds.base import Kind

STEPS = (1, 7, 41)  # lengths that exports are tried on


class Sequence(Kind):
    """Sequences of any length; a model of them has neither support set nor queries."""

    takes = "sequences"
    task = "Remember a sequence while reading it."
    formula = True

    def sizes(self, learner):
        """Any length."""
        return None, ()

    def fixed_input(self, loaded):
        """The network's own example."""
        return loaded.learner.example()

    def random_tasks(self, loaded):
        """Random bits, one to three sequences of each length."""
        rng = np.random.default_rng(0)
        shapes = [(n, steps, loaded.learner.channels) for n, steps in enumerate(STEPS, 1)]
        return [{"x": (rng.random(shape) < 0.5).astype(np.float32)} for shape in shapes]


KIND = Sequence()
