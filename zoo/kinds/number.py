"""Points of a curve: numbers instead of labels."""

import numpy as np

from chapters.experiments import sine
from chapters.experiments.sine import pictures as sine_pictures
from zoo.kinds.base import Kind, first

POINTS = (5, 10, 20)  # known ones, in the tasks that exports are tried on


class Number(Kind):
    """Curves, known at a few points."""

    takes = "points of a curve"
    task = "Continue a curve, from a few of its points."
    labels = "numbers [point, 1]; where they are not finite, all answers are NaN"
    formula = True

    def fixed_input(self, loaded):
        """Five points of a sine, and five places."""
        rng = np.random.RandomState(0)  # its stream is frozen: the same in every version of NumPy
        x = rng.uniform(-5, 5, [2, 1, 5, 1]).astype(np.float32)
        return {"support_x": x[0], "support_y": np.sin(x[0]), "query_x": x[1]}

    def random_tasks(self, loaded):
        """Points anywhere, a task for each of ``POINTS``."""
        rng = np.random.default_rng(0)
        return [
            {
                "support_x": rng.uniform(-5, 5, [n, 1]).astype(np.float32),
                "support_y": rng.uniform(-1, 1, [n, 1]).astype(np.float32),
                "query_x": rng.uniform(-5, 5, [n + 1, 1]).astype(np.float32),
            }
            for n in POINTS
        ]

    def real_tasks(self, loaded):
        """Curves of the family that the model knows."""
        curves = [sine.sampler(loaded.config, sine.TEST, n, 40, 1)(0)[0] for n in POINTS]
        return {f"curves of {loaded.config.curves}": [first(inputs) for inputs in curves]}

    def picture(self, loaded, width):
        """Two curves and their fits, without a step, after one, and after those of a test."""
        curves = sine.sampler(loaded.config, sine.TEST, loaded.config.test_shot, 1, 2)
        shown = sorted({0, 1, loaded.learner.test_steps})
        return sine_pictures.fits({loaded.name: loaded.learner}, curves, shown)


KIND = Number()
