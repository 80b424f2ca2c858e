"""Gradients, for update rules that were learned."""

import numpy as np

from zoo.kinds.base import Kind

COORDINATES = (1, 7, 300)  # numbers that are optimized, in what exports are tried on


class Gradient(Kind):
    """Gradients of any number of coordinates, and what each remembers of earlier ones."""

    takes = "gradients"
    task = "Say what to add to the weights of a model, from their gradients."
    formula = True

    def sizes(self, learner):
        """Any number of coordinates."""
        return None, ()

    def fixed_input(self, loaded):
        """Five gradients of four coordinates, of very different sizes."""
        rng = np.random.RandomState(0)  # its stream is frozen: the same in every version of NumPy
        sizes = np.array([[1e-4], [1e-2], [1.0], [10.0]])  # [coordinate, 1]
        return (sizes * rng.uniform(-1, 1, [4, 5])).astype(np.float32)  # [coordinate, time]

    def random_tasks(self, loaded):
        """Random gradients, with a memory that is not empty."""
        rng = np.random.default_rng(0)
        shapes = [(count, loaded.learner.memory) for count in COORDINATES]
        return [
            {
                "gradient": rng.normal(size=shape[:1]).astype(np.float32),
                "state": rng.random(shape).astype(np.float32),
            }
            for shape in shapes
        ]


KIND = Gradient()
