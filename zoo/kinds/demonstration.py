"""Demonstrations: what was seen and done, step by step, from which a policy is adapted."""

import numpy as np

from chapters.experiments import imitation
from zoo.kinds.base import Kind, first

COUNTS = (1, 2)  # demonstrations, in what exports are tried on
QUERIES = 6


class Demonstrated(Kind):
    """One demonstration or more of a task, and observations to act on."""

    takes = "demonstrations"
    task = "Do what a demonstration shows, from other beginnings and with other targets."
    labels = "actions [step, action]; where they are not finite, all answers are NaN"
    formula = True

    def fixed_input(self, loaded):
        """A demonstration and observations of any numbers."""
        task = self._random(np.random.RandomState(0), loaded, 1)  # its stream is frozen
        return {name: x[None] for name, x in task.items()}

    def random_tasks(self, loaded):
        """Any numbers, as one demonstration and as several."""
        rng = np.random.RandomState(1)
        return [self._random(rng, loaded, count) for count in COUNTS]

    def real_tasks(self, loaded):
        """Demonstrations in tasks of the world."""
        drawn = imitation.sampler(loaded.config, imitation.TEST, 1)
        return {"the scripted expert": [first(drawn(index)[0]) for index in range(2)]}

    def picture(self, loaded, width):
        """Demonstrations, and where the arm ends."""
        return imitation.pictures.picture(loaded.learner, loaded.config, width)

    def _random(self, rng, loaded, count: int):
        learner, steps = loaded.learner, count * loaded.learner.horizon
        shapes = {
            "support_x": (steps, *learner.item_shape),
            "support_y": (steps, learner.outputs),
            "query_x": (QUERIES, *learner.item_shape),
        }
        return {
            name: rng.uniform(-1, 1, shape).astype(np.float32) for name, shape in shapes.items()
        }


KIND = Demonstrated()
