"""The loop: counts right, logs right, keeps the best, stops when it should, drives Keras."""

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.engine import checkpoints
from chapters.engine.errors import RunError
from tests.chapters.engine import tiny
from tests.chapters.engine.tiny import TinyConfig, make_loop


@pytest.fixture
def loop_of(tmp_path):
    """Loops in one run folder, all from the same random state."""

    def make(folder="r", config=None, **options):
        keras.utils.set_random_seed(5)
        config = config or {}
        return make_loop(TinyConfig(run=str(tmp_path / folder), **config), **options)

    return make


def state(loop):
    return [np.asarray(v) for v in [*loop.model.variables, *loop.optimizer.variables]]


def assert_same_bits(first, second):
    for a, b in zip(first, second, strict=True):
        assert a.dtype == b.dtype and a.tobytes() == b.tobytes()


def without_time(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


def log(loop):
    return list(csv.DictReader((loop.run.path / "log.csv").open()))


@pytest.mark.parametrize("per_call", [3, 10])
def test_steps_per_call_do_not_change_a_bit_of_the_state(loop_of, per_call):
    """10 steps in epochs of 4: the last epoch is shorter, 3 does not divide it, 10 is too many.

    The mean of a metric over several steps is added up in float32 inside the graph and in float64
    outside, so the logged training loss (and nothing that depends on it) differs by rounding.
    """
    one = loop_of("one", {"steps": 10, "steps_per_call": 1}, monitor="")
    many = loop_of("many", {"steps": 10, "steps_per_call": per_call}, monitor="")
    history, other = one(), many()
    assert_same_bits(state(one), state(many))
    for a, b in zip(history, other, strict=True):
        assert (a["step"], a["val_loss"]) == (b["step"], b["val_loss"])
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-6)


def test_the_steps_are_those_of_a_plain_python_loop(loop_of):
    """Same model, batches 0, 1, 2, ... and Keras' own optimizer call, no engine."""
    loop = loop_of(config={"steps": 6, "steps_per_epoch": 4}, monitor="")
    history = loop()
    keras.utils.set_random_seed(5)
    model = tiny.network()
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.02, 10, 0.9))
    losses = []
    for index in range(6):
        x, y = tiny.Data(0)(tf.constant(index))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        losses.append(float(loss))
    for ours, plain in zip(loop.model.variables, model.variables, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-4, atol=1e-6)
    assert [row["loss"] for row in history] == pytest.approx(
        [np.mean(losses[:4]), np.mean(losses[4:])], rel=1e-5
    )


@pytest.mark.parametrize(("steps", "ends"), [(8, [4, 8]), (10, [4, 8, 10]), (3, [3]), (1, [1])])
def test_history_and_log_have_one_row_per_epoch(loop_of, steps, ends):
    loop = loop_of(config={"steps": steps})
    history = loop()
    assert [row["step"] for row in history] == ends
    assert list(history[0]) == ["step", "loss", "half", "val_loss", "seconds"]
    for row in history:
        assert row["half"] == pytest.approx(row["loss"] / 2, rel=1e-6)
    seconds = [row["seconds"] for row in history]
    assert seconds == sorted(seconds)
    rows = log(loop)
    assert [row.pop("epoch") for row in rows] == [str(n) for n in range(len(ends))]
    assert [{k: float(v) for k, v in row.items()} for row in rows] == history


def test_without_validation_the_log_has_no_empty_columns(loop_of):
    loop = loop_of(validate=False)
    loop()
    assert list(log(loop)[0]) == ["epoch", "step", "loss", "half", "seconds"]


def scripted(loop, scores):
    """Replace validation: epoch n scores ``scores[n]`` and the model's first bias becomes n."""
    weight = loop.model.layers[0].bias

    def validate():
        epoch = len(loop.history)
        weight.assign(tf.fill(weight.shape, float(epoch)))
        return {"score": scores[epoch]}

    loop.validate = validate
    return weight


@pytest.mark.parametrize(
    ("monitor", "scores", "best"),
    [
        ("val_score", [0.1, 0.7, 0.3, 0.7], 1),  # of equals the first
        ("val_score", [0.1, 0.2, 0.3, 0.4], 3),
        ("val_score", [0.1, float("nan"), 0.3, 0.2], 2),
        ("val_score", [float("nan"), 0.1, 0.0, 0.0], 1),
        ("", [0.9, 0.1, 0.1, 0.1], 3),  # the last ones
    ],
)
def test_the_best_weights_are_given_back(loop_of, monitor, scores, best):
    loop = loop_of(config={"steps": 16}, monitor=monitor)
    weight = scripted(loop, scores)
    loop()
    np.testing.assert_array_equal(weight, np.full(16, best))


def test_of_a_loss_the_smallest_is_best(loop_of):
    loop = loop_of(config={"steps": 12}, monitor="val_loss")
    weight = scripted(loop, [])
    scripted_loss = iter([0.5, 0.2, 0.9])

    def validate():
        weight.assign(tf.fill(weight.shape, float(len(loop.history))))
        return {"loss": next(scripted_loss)}

    loop.validate = validate
    loop()
    np.testing.assert_array_equal(weight, np.full(16, 1))


@pytest.mark.parametrize(
    ("patience", "epochs"), [(0, 8), (1, 3), (2, 4), (3, 8)]
)  # scores rise until epoch 1, and again from epoch 4
def test_patience_ends_the_run(loop_of, patience, epochs):
    loop = loop_of(config={"steps": 32, "patience": patience}, monitor="val_score")
    scripted(loop, [0.1, 0.2, 0.0, 0.1, 0.3, 0.4, 0.5, 0.6])
    assert len(loop()) == epochs


def test_callbacks_of_keras_are_driven(loop_of, tmp_path):
    events = []
    watch = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: events.append("begin"),
        on_epoch_begin=lambda epoch, logs: events.append(f"epoch {epoch}"),
        on_train_batch_end=lambda batch, logs: events.append(f"batch {batch}"),
        on_epoch_end=lambda epoch, logs: events.append(f"end of {epoch}"),
        on_train_end=lambda logs: events.append("end"),
    )
    stop = keras.callbacks.EarlyStopping(monitor="val_score", mode="max", patience=2)
    written = keras.callbacks.CSVLogger(str(tmp_path / "keras.csv"))
    loop = loop_of(config={"steps": 40}, callbacks=[watch, stop, written], monitor="val_score")
    scripted(loop, [0.1, 0.2, 0.1, 0.1, 0.9] + [0.0] * 5)
    history = loop()
    assert len(history) == 4  # EarlyStopping had its way
    epochs = [[f"epoch {n}", "batch 1", "batch 3", f"end of {n}"] for n in range(4)]
    assert events == ["begin", *epochs[0], *epochs[1], *epochs[2], *epochs[3], "end"]
    assert watch.model is loop.model
    rows = list(csv.DictReader((tmp_path / "keras.csv").open()))
    assert [float(row["val_score"]) for row in rows] == [0.1, 0.2, 0.1, 0.1]
    assert [float(row["loss"]) for row in rows] == [row["loss"] for row in history]


def test_a_learning_rate_set_by_a_callback_takes_effect(loop_of):
    """The step is compiled; what a callback assigns must still be seen."""
    seen = []

    def note(epoch, logs):
        seen.append(loop.model.layers[0].kernel.numpy())
        if epoch == 1:
            loop.optimizer.learning_rate = 0.0

    callbacks = [keras.callbacks.LambdaCallback(on_epoch_begin=note)]
    loop = loop_of(config={"steps": 12}, callbacks=callbacks, rate=0.02, monitor="")
    loop()
    assert not np.array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(seen[1], seen[2])


def test_progress_is_a_line_per_epoch_unless_it_is_a_terminal(loop_of, capsys, monkeypatch):
    loop_of(config={"steps": 10}, verbose=None)()
    said = capsys.readouterr().out
    assert said.count("\n") == 6  # "Epoch 1/3" and the numbers, three times
    assert "Epoch 3/3" in said and "2/2 - " in said and "val_loss: " in said
    assert "\r" not in said and "\b" not in said
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert loop_of("s", verbose=None).verbose == 1
    loop_of("t", verbose=0)()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("bad", "per_call"), [(0, 2), (5, 1), (5, 4), (7, 4)])
def test_a_loss_that_is_not_finite_names_step_and_seed(loop_of, bad, per_call):
    config = {"steps": 12, "seed": 3, "bad_step": bad, "steps_per_call": per_call}
    loop = loop_of(config=config)
    kept = bad // 4 * 4
    sentence = f"not finite at step {bad} .*index {bad}, seed 3.*weights of step {kept} are kept"
    with pytest.raises(RunError, match=sentence) as caught:
        loop()
    assert "\n" not in str(caught.value)
    found = checkpoints.load(loop.run.path / "checkpoints", pytest.fail)
    if kept == 0:
        assert found is None
        return
    arrays, saved = found
    assert saved["step"] == kept
    assert all(np.all(np.isfinite(array)) for array in arrays.values())
    assert [int(row["step"]) for row in log(loop)] == [4]


def test_another_seed_is_another_run(loop_of):
    """Comparing runs bit by bit can tell them apart."""
    runs = [loop_of(str(seed), {"seed": seed, "steps": 4}) for seed in (0, 1)]
    for run in runs:
        run()
    assert not np.array_equal(state(runs[0])[0], state(runs[1])[0])


def test_another_failure_keeps_its_own_message(loop_of):
    loop = loop_of()
    loop.validate = lambda: tf.debugging.assert_equal(1, 2, "mine")
    with pytest.raises(tf.errors.InvalidArgumentError, match="mine"):
        loop()


def resumed(loop_of, **options):
    return loop_of(config={"resume": True, **options.pop("config", {})}, **options)


def test_resume_of_a_finished_run_changes_nothing(loop_of):
    first = loop_of()
    first()
    before = (first.run.path / "log.csv").read_bytes()
    again = resumed(loop_of)
    assert without_time(again()) == without_time(first.history)
    assert_same_bits(state(again), state(first))
    assert (first.run.path / "log.csv").read_bytes() == before


def test_resume_keeps_the_best_weights_of_before(loop_of):
    first = loop_of(config={"steps": 16}, monitor="val_score")
    scripted(first, [0.1, 0.9, 0.2])
    with pytest.raises(IndexError):  # the fourth validation fails: three epochs are saved
        first()
    again = resumed(loop_of, config={"steps": 16}, monitor="val_score")
    weight = scripted(again, [None, None, None, 0.3])
    again()
    np.testing.assert_array_equal(weight, np.full(16, 1))


def test_the_log_is_cut_back_to_the_checkpoint(loop_of):
    first = loop_of(config={"steps": 12})
    first()
    path = first.run.path / "log.csv"
    whole = path.read_text()
    newest = sorted((first.run.path / "checkpoints").iterdir())[-1]
    (newest / "state.json").unlink()  # as if the run had been killed after writing the log
    path.write_text(whole + "2,12,0.1,half a li")
    again = resumed(loop_of, config={"steps": 12})
    cut = []
    again.callbacks.append(
        keras.callbacks.LambdaCallback(on_train_begin=lambda logs: cut.append(path.read_text()))
    )
    again()
    assert whole.startswith(cut[0]) and cut[0].count("\n") == 3  # header and two epochs
    columns = [line.rsplit(",", 1)[0] for line in whole.splitlines()]
    assert [line.rsplit(",", 1)[0] for line in path.read_text().splitlines()] == columns


def test_without_a_checkpoint_resume_begins_and_says_so(loop_of, capsys):
    unbroken = loop_of("whole")
    unbroken()
    loop = resumed(loop_of)
    loop()
    assert "No usable checkpoint: starting from the beginning." in capsys.readouterr().out
    assert_same_bits(state(loop), state(unbroken))


def test_one_trace_serves_all_epochs(loop_of):
    loop = loop_of(config={"steps": 24, "steps_per_call": 4})
    loop()
    assert loop._run_steps.experimental_get_tracing_count() == 1
    uneven = loop_of("s", config={"steps": 22, "steps_per_call": 3})
    uneven()  # 3 and 1 steps in each epoch of four, 2 in the last: one trace for each
    assert uneven._run_steps.experimental_get_tracing_count() == 3
