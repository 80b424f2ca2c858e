"""Sine regression: every task is a curve y = A sin(w x + b), known at a few points.

The defaults are MAML's tasks (Finn et al. 2017, section 5.1); other papers differ in ranges only:

    Meta-SGD            frequency=(0.8, 1.2)
    Reptile             phase=(0, 2 pi), grid=50
    book, section 7.7   grid=100, replacement=True

The phase is added, as the book prints it. MAML's own code computes A sin(x - b): with b in [0, pi]
these are other tasks (the mean curve is -1.62 cos x instead of +1.62 cos x) but mirror images of
ours in x and y, and so exactly as hard.
"""

import math
from typing import NamedTuple

import tensorflow as tf

from datasets.errors import DataError, at_least_one
from datasets.tasks import draws


class SineTask(NamedTuple):
    """What makes a curve y = A sin(w x + b); each [task]."""

    amplitude: tf.Tensor
    phase: tf.Tensor  # radians
    frequency: tf.Tensor


class SineTasks:
    """Draws curves, then ``shot`` support and ``query`` query points of each.

    A pure function of (seed, index), like ``datasets.tasks.episodes``. Calling the sampler gives
    ``(inputs, query_y)``: support_x, support_y [task, shot, 1], query_x, query_y [task, query, 1].

    Args:
        shot, query: points per task; those of a grid are distinct unless ``replacement``.
        tasks: tasks per batch.
        seed: the same seed and index give the same tasks.
        amplitude, phase, frequency: ranges (low, high) of uniform draws; low = high fixes them.
        x_range: where the points lie, uniformly.
        phases: the phase is one of these, each equally likely, instead of from a range.
        grid: number of evenly spaced inputs, ends of ``x_range`` included; 0 for any input.
        replacement: draw from the grid with replacement; support and query may then share points.

    Raises:
        DataError: ranges that are empty or too few grid points.
    """

    def __init__(
        self,
        shot: int,
        query: int,
        tasks: int = 1,
        seed: int = 0,
        *,
        amplitude: tuple[float, float] = (0.1, 5.0),
        phase: tuple[float, float] = (0.0, math.pi),
        frequency: tuple[float, float] = (1.0, 1.0),
        x_range: tuple[float, float] = (-5.0, 5.0),
        phases: tuple[float, ...] | None = None,
        grid: int = 0,
        replacement: bool = False,
    ):
        self.shot, self.query, self.tasks, self.seed = shot, query, tasks, seed
        self.amplitude, self.phase, self.frequency = amplitude, phase, frequency
        self.x_range, self.phases = x_range, phases
        self.grid, self.replacement = grid, replacement
        self._check()

    def _check(self):
        at_least_one(shot=self.shot, query=self.query, tasks=self.tasks)
        for name in ("amplitude", "phase", "frequency", "x_range"):
            low, high = getattr(self, name)
            if not -math.inf < low <= high < math.inf or (name == "x_range" and low == high):
                raise DataError(f"{name} is ({low}, {high}); give (low, high), finite, low first.")
        if self.phases is not None and not len(self.phases):
            raise DataError("phases is empty; name at least one phase or leave it out.")
        needed = 1 if self.replacement else self.shot + self.query
        if self.replacement and self.grid < 1:
            raise DataError("replacement needs a grid to draw from; set grid to at least 1.")
        if self.grid < 0 or 0 < self.grid < needed:
            raise DataError(
                f"A grid of {self.grid} points is too small: shot {self.shot} + query {self.query} "
                f"need {needed}; use a larger grid or 0 for any input."
            )

    def __call__(self, index):
        """Batch number ``index`` (int or scalar tensor) as ``(inputs, query_y)``."""
        uniform = self._uniform(index)
        x = self._inputs(uniform[:, 3:])[..., None]  # [task, shot + query, 1]
        y = self.curve(self._parameters(uniform), x)
        inputs = {
            "support_x": x[:, : self.shot],
            "support_y": y[:, : self.shot],
            "query_x": x[:, self.shot :],
        }
        return inputs, y[:, self.shot :]

    def parameters(self, index) -> SineTask:
        """Amplitude, phase and frequency of the tasks of batch number ``index``, each [task]."""
        return self._parameters(self._uniform(index))

    @staticmethod
    def curve(parameters: SineTask, x):
        """The true curves at ``x`` [task, point, 1] or [point, 1] -> [task, point, 1]."""
        amplitude, phase, frequency = (p[:, None, None] for p in parameters)  # [task, 1, 1]
        return amplitude * tf.sin(frequency * x + phase)

    def _uniform(self, index):
        """All random numbers of a batch in one draw: three for the curve, the rest for x."""
        each = self.shot + self.query if self.replacement or not self.grid else self.grid
        seed = tf.stack([self.seed, tf.cast(index, tf.int32)])
        return draws.uniform([self.tasks, 3 + each], seed)

    def _parameters(self, uniform) -> SineTask:
        amplitude, phase, frequency = tf.unstack(uniform[:, :3], axis=1)  # [task]
        if self.phases is None:
            phase = _between(self.phase, phase)
        else:
            position = tf.cast(phase * len(self.phases), tf.int32)
            phase = tf.gather(tf.constant(self.phases, tf.float32), position)
        return SineTask(
            _between(self.amplitude, amplitude), phase, _between(self.frequency, frequency)
        )

    def _inputs(self, uniform):
        """x [task, shot + query] from as many uniform numbers, or from one per grid point."""
        if not self.grid:
            return _between(self.x_range, uniform)
        if self.replacement:
            position = tf.cast(uniform * self.grid, tf.int32)
        else:  # the order of random scores: distinct positions, uniformly
            position = tf.math.top_k(uniform, self.shot + self.query).indices
        return tf.gather(tf.linspace(*map(float, self.x_range), self.grid), position)


def _between(ends, uniform):
    """[0, 1) -> [low, high)."""
    low, high = ends
    return low + (high - low) * uniform
