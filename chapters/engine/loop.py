"""The training loop: counting, evaluating, logging and saving. Learning stays in the chapter.

The loop calls a chapter's ``train_step`` on batch 0, 1, 2, ... ``steps_per_call`` of them in one
graph call. An epoch is the stretch between two evaluations; at its end the state is saved, so a run
that is killed anywhere goes on with ``--resume`` and ends with the same bits.
"""

import csv
import inspect
import io
import math
import sys
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from chapters.engine import checkpoints, files, strategies
from chapters.engine.errors import RunError
from chapters.engine.progress import Progress
from chapters.engine.runs import RunFolder
from chapters.engine.update import NOT_FINITE

RUNAWAY = 1e6  # losses here are of order 1 to 10; one this large is of weights without use


class Loop:
    """State of a training run: model, optimizer, step, history, best weights.

    Args:
        train_step: a ``contracts.TrainStep``: (batch, seed) -> dict of scalar metrics; computes
            gradients and updates.
        batches: a ``contracts.Sampler``: index (scalar int32 tensor) -> batch, a structure of
            tensors [task, ...].
        model: Keras model; all its variables are saved.
        optimizer: built Keras optimizer (``optimizer.build(variables)``).
        run: where log and checkpoints go.
        steps: length of the run.
        steps_per_epoch: steps between evaluations.
        steps_per_call: steps in one graph call; does not change the numbers.
        validate: called at the end of each epoch; dict of metrics, logged as ``val_<name>``.
        monitor: logged metric whose best value marks the weights to keep ("" keeps the last).
        patience: epochs without a better value after which the run ends (0 never).
        callbacks: Keras callbacks; they are told of epochs and of graph calls as batches. What
            they remember is not in the checkpoints: an early stop that survives ``--resume`` is
            ``patience``.
        strategy: a ``tf.distribute`` strategy; tasks are shared among its replicas.
        verbose: 1 Keras progress bar, 2 one line per epoch, 0 nothing; by default a bar on a
            terminal and lines elsewhere.
        xla: compile the steps of a graph call into one program; many times faster for small dense
            networks, slower for convolutions on a CPU. Not with several devices.
        names: metric -> how the line of progress calls it, where its own name says too little.
        explain: called with the index of a batch whose loss is not finite, with the weights as
            they were before it; what it returns ends the error message.
    """

    def __init__(
        self,
        train_step: Callable,
        batches: Callable,
        *,
        model: keras.Model,
        optimizer: keras.Optimizer,
        run: RunFolder,
        steps: int,
        steps_per_epoch: int,
        steps_per_call: int = 1,
        validate: Callable[[], dict[str, float]] | None = None,
        monitor: str = "",
        patience: int = 0,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        strategy: tf.distribute.Strategy | None = None,
        verbose: int | None = None,
        xla: bool = False,
        names: dict[str, str] | None = None,
        explain: Callable[[int], str] | None = None,
    ):
        _check_step(train_step)
        self.model, self.optimizer, self.run = model, optimizer, run
        self.steps, self.steps_per_epoch = steps, min(steps_per_epoch, steps)
        self.steps_per_call = min(steps_per_call, self.steps_per_epoch)
        self.validate, self.monitor, self.patience = validate, monitor, patience
        self.callbacks = list(callbacks)
        self.verbose = (1 if sys.stdout.isatty() else 2) if verbose is None else verbose
        self.names = names or {}
        self.strategy = strategy or tf.distribute.get_strategy()
        self.explain = explain
        self.step, self.seconds = 0, 0.0
        self.history: list[dict[str, float]] = []
        self.best: list[np.ndarray] | None = None
        compiler = self._compile_xla if xla else self._compile
        # Steps and batches are tensor programs already; converting them makes tracing slow.
        plain = tf.autograph.experimental.do_not_convert
        self._run_steps = compiler(plain(train_step), plain(batches))

    def _seed(self, index):
        """Of a step: int32 [2], never the same twice in a run, the same after ``--resume``."""
        return tf.stack([self.run.config.seed, tf.cast(index, tf.int32)])

    def _compile(self, train_step, batches):
        strategy = self.strategy
        strategies.check_share(batches, strategy)

        @tf.function(input_signature=[tf.TensorSpec([], tf.int32)], autograph=False)
        def one_step(index):
            def replica_step(index):
                tasks = strategies.share(batches(index), strategy)
                metrics = train_step(tasks, self._seed(index))
                own = strategies.averages(self.model, strategy)
                return metrics, [tf.convert_to_tensor(variable) for variable in own]

            def mean(value):
                return strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None)

            metrics, own = strategy.run(replica_step, (index,))
            for variable, value in zip(strategies.averages(self.model, strategy), own, strict=True):
                variable.assign(mean(value))
            return {name: mean(value) for name, value in metrics.items()}

        @tf.function
        def run_steps(first, count):
            # ``count`` is a Python number: one trace for it, one for the rest at an epoch's end.
            total = tf.nest.map_structure(
                lambda spec: tf.zeros(spec.shape, spec.dtype),
                one_step.get_concrete_function().structured_outputs,
            )
            for index in tf.range(first, first + count):
                total = tf.nest.map_structure(tf.add, total, one_step(index))
            return total

        return run_steps

    def _compile_xla(self, train_step, batches):
        if self.strategy.num_replicas_in_sync > 1:
            raise RunError("Steps compiled with XLA run on one device; use --strategy none.")

        # Traced once, for the first graph call: a run that is resumed at its end needs none.
        @tf.function(input_signature=[tf.TensorSpec([], tf.int32)], autograph=False)
        def one_step(index):
            return train_step(batches(index), self._seed(index))

        # XLA drops assertions, so each step is checked by its results: the first one that is not
        # finite, and all after it, leave the variables as they were.
        @tf.function(jit_compile=True)
        def run_steps(first, count):
            variables = [v for group in self._variables().values() for v in group]
            total = tf.nest.map_structure(
                lambda spec: tf.zeros(spec.shape, spec.dtype),
                one_step.get_concrete_function().structured_outputs,
            )
            good = tf.constant(True)
            for number in tf.range(count):  # a Python number: XLA wants to know it
                before = [tf.convert_to_tensor(variable) for variable in variables]
                metrics = one_step(first + number)
                after = [tf.convert_to_tensor(variable) for variable in variables]
                results = [x for x in [*metrics.values(), *after] if x.dtype.is_floating]
                finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(x)) for x in results])
                good &= finite
                for variable, old, new in zip(variables, before, after, strict=True):
                    variable.assign(tf.where(good, new, old))
                total = tf.nest.map_structure(tf.add, total, metrics)
            return total, good

        def checked(first, count):
            total, good = run_steps(first, count)
            if not good:
                raise tf.errors.InvalidArgumentError(None, None, NOT_FINITE)
            return total

        checked.experimental_get_tracing_count = run_steps.experimental_get_tracing_count
        return checked

    def __call__(self) -> list[dict[str, float]]:
        """Train to the end (or on from the newest checkpoint) and return the history.

        Afterwards the model holds the best weights by ``monitor``, or the last ones.

        Raises:
            RunError: loss or gradient is not finite or far too large in the end, another worker has
                stopped, or another process trains into the same folder.
            OSError: a file cannot be written.
        """
        with self.run.lock():
            self._train()
        self._check_end()
        return self.history

    def _train(self) -> None:
        if self.run.config.resume:
            self._restore()
        self._write_log()
        shown = [Progress(self.names)] if self.run.chief and self.verbose > 0 else []
        progress = keras.callbacks.CallbackList(
            [*self.callbacks, *shown],
            model=self.model,
            **self._params(self.steps_per_epoch),
        )
        self.model.stop_training = False
        progress.on_train_begin()
        while self.step < self.steps and not self._finished():
            self._epoch(progress)
        progress.on_train_end()
        if self.best is not None:
            self._assign(self.model.variables, self.best)

    def _check_end(self) -> None:
        """A training that has run away is no success, though its numbers are finite."""
        loss = self.history[-1].get("loss", 0.0) if self.history else 0.0
        if loss > RUNAWAY:
            raise RunError(
                f"The loss ended at {loss:.3g}: the training has diverged. Lower the learning rate."
            )

    def _params(self, steps: int) -> dict[str, int]:
        """What Keras tells every callback."""
        epochs = -(-self.steps // self.steps_per_epoch)
        return {"verbose": self.verbose, "epochs": epochs, "steps": steps}

    def _epoch(self, progress) -> None:
        started, epoch = time.perf_counter(), self.step // self.steps_per_epoch
        first = self.step
        end = min(first + self.steps_per_epoch, self.steps)
        progress.set_params(self._params(end - first))  # the last epoch may be shorter
        progress.on_epoch_begin(epoch)
        totals: dict[str, float] = {}
        while self.step < end:
            count = min(self.steps_per_call, end - self.step)
            progress.on_train_batch_begin(self.step - first)
            sums = self._guarded_steps(count)
            self.step += count
            sums = {name: float(value) for name, value in sums.items()}
            totals = {name: totals.get(name, 0.0) + value for name, value in sums.items()}
            means = {name: value / count for name, value in sums.items()}  # of this call
            progress.on_train_batch_end(self.step - first - 1, means)
        logs = {name: value / (end - first) for name, value in totals.items()}  # of the epoch
        if self.validate is not None:
            logs |= {f"val_{name}": float(value) for name, value in self.validate().items()}
        self.seconds += time.perf_counter() - started
        self.history.append({"step": self.step, **logs, "seconds": round(self.seconds, 1)})
        self._keep_best()
        self._write_log()
        self.run.scalars(self.history[-1])
        progress.on_epoch_end(epoch, dict(self.history[-1]))
        self._save()

    def _guarded_steps(self, count: int):
        try:
            return self._run_steps(tf.constant(self.step), count)
        except tf.errors.OpError as error:
            if strategies.ABORTED in str(error) and NOT_FINITE not in str(error):
                raise RunError(
                    "Another worker has stopped; see its messages, then start all with --resume."
                ) from error
            if NOT_FINITE not in str(error):
                raise
            failed = int(self.optimizer.iterations.numpy())
            kept = self.history[-1]["step"] if self.history else 0
            reason = self.explain(failed) if self.explain else ""
            raise RunError(
                f"The loss or its gradient is not finite at step {failed} (batch index {failed}, "
                f"seed {self.run.config.seed}); the weights of step {kept} are kept."
                + (reason or " Lower the learning rate, or look at that batch.")
            ) from error

    # What follows from the history is computed from it, never stored beside it.

    def _scores(self) -> list[float]:
        """Monitored values, larger is better; one that is not a number is the worst."""
        sign = -1.0 if self.monitor.endswith(("loss", "error")) else 1.0
        scores = [sign * row[self.monitor] for row in self.history]
        return [-math.inf if math.isnan(score) else score for score in scores]

    def _keep_best(self) -> None:
        if self.monitor:
            scores = self._scores()
            if np.argmax(scores) == len(scores) - 1:
                self.best = [variable.numpy() for variable in self.model.variables]

    def _finished(self) -> bool:
        if self.model.stop_training:
            return True
        if not (self.patience and self.monitor and self.history):
            return False
        scores = self._scores()
        return len(scores) - 1 - int(np.argmax(scores)) >= self.patience

    def _save(self) -> None:
        groups = self._variables()
        arrays = {
            f"{group}/{number:04d}": np.asarray(variable)
            for group, variables in groups.items()
            for number, variable in enumerate(variables)
        }
        arrays |= {f"best/{number:04d}": array for number, array in enumerate(self.best or [])}
        state = {"step": self.step, "seconds": self.seconds, "history": self.history}
        if self.run.chief:
            checkpoints.save(self.run.path / "checkpoints", self.step, arrays, state)

    def _restore(self) -> None:
        found = checkpoints.load(self.run.path / "checkpoints")
        if found is None:
            print("No usable checkpoint: starting from the beginning.")
            return
        arrays, state = found
        for group, variables in self._variables().items():
            self._assign(variables, _group(arrays, group))
        self.best = _group(arrays, "best") or None
        self.step, self.seconds = state["step"], state["seconds"]
        self.history = state["history"]
        print(f"Resumed at step {self.step} of {self.steps}.")

    def _variables(self) -> dict[str, list]:
        return {"model": self.model.variables, "optimizer": self.optimizer.variables}

    @staticmethod
    def _assign(variables, arrays) -> None:
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)

    def _write_log(self) -> None:
        """``log.csv`` is the history, always: whole, and cut back where a killed run was ahead."""
        if not self.run.chief:
            return
        text = io.StringIO()
        if self.history:
            writer = csv.DictWriter(text, ["epoch", *self.history[0]], lineterminator="\n")
            writer.writeheader()
            writer.writerows({"epoch": n, **row} for n, row in enumerate(self.history))
        files.write_bytes(self.run.path / "log.csv", text.getvalue().encode())


def _check_step(train_step) -> None:
    try:
        inspect.signature(train_step).bind("batch", "seed")
    except TypeError as error:
        raise RunError(
            f"A training step is called with a batch and a seed ({error}); see contracts.TrainStep."
        ) from error


def _group(arrays: dict[str, np.ndarray], group: str) -> list[np.ndarray]:
    return [arrays[name] for name in sorted(arrays) if name.startswith(group + "/")]
