"""What the parts of a training owe each other. A chapter fills these; the engine asks for no more.

Learners are described in ``learner.FewShotLearner``: what goes in (``input_shapes``, ``OPTIONAL``),
what comes out (``output``) and how that becomes an answer (``answer``).
"""

from typing import Any, Protocol


class Sampler(Protocol):
    """Draws tasks: a function of (seed, index) alone, eager, in a graph and under XLA.

    So a run is repeated by its seed and goes on at any index.
    """

    tasks: int  # of a batch
    seed: int

    def __call__(self, index) -> tuple[dict[str, Any], Any]:
        """Batch number ``index``: inputs of the learner [task, ...], and what it is judged by.

        The second is ``query_y`` for learners of classes and of values; whoever makes data while
        learning, such as trajectories, gets here what a task is made of.
        """
        ...


class TrainStep(Protocol):
    """One step of a training: tape, loss, gradient, update."""

    def __call__(self, batch, seed) -> dict[str, Any]:
        """Update the variables.

        Args:
            batch: what the sampler drew, this device's tasks of it.
            seed: int32 [2], another one for every step and the same on every device; for what the
                step draws itself, such as an order or trajectories. Several draws split it. A step
                that draws nothing takes it as ``seed=None`` and leaves it.

        Returns:
            name -> scalar, means over the tasks; ``loss`` among them.
        """
        ...


class Objective(Protocol):
    """The loss of tasks. ``output`` says what it takes: "values"; classes where there is none."""

    def __call__(self, y, prediction):
        """Targets [task, item, ...] and predictions [task, item, out] -> loss [task]."""
        ...


class Rollout(Protocol):
    """Makes the data of tasks by acting, so that they depend on the weights.

    An inner loop calls it before every inner step with the weights of that step: data of old
    weights would be of another policy.
    """

    def __call__(self, weights, tasks, seed) -> dict[str, Any]:
        """Trajectories under adapted weights.

        Args:
            weights: list of [task, ...].
            tasks: what the sampler drew.
            seed: int32 [2].

        Returns:
            name -> [task, trajectory, time, ...].
        """
        ...
