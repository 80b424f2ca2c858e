"""The loop: counts right, logs right, keeps the best, stops when it should, drives Keras."""

import csv
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.engine import checkpoints, configuration, files, script
from chapters.engine.errors import RunError
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from datasets.tasks.sinusoid import SineTasks
from tests.chapters.engine import tiny
from tests.chapters.engine.children import Child
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


def events(folder):
    """Name -> (step, value) of every point that TensorBoard would show."""
    points = {}
    for file in sorted(folder.iterdir()):
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                number = float(tf.make_ndarray(value.tensor))
                points.setdefault(value.tag, []).append((event.step, number))
    return points


def test_tensorboard_gets_what_the_log_has(loop_of):
    loop = loop_of(config={"steps": 10, "tensorboard": True})
    history = loop()
    found = events(loop.run.path / "tensorboard")
    assert set(found) == set(history[0]) - {"step"}
    for name, points in found.items():
        assert points == [(row["step"], pytest.approx(row[name])) for row in history]


def test_without_the_option_there_is_nothing_for_tensorboard(loop_of):
    loop = loop_of()
    loop()
    assert not (loop.run.path / "tensorboard").exists()


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


class Curves(SineTasks):
    """Points of random curves, the same under XLA; those of batch ``bad`` are not numbers."""

    bad = -1

    def __call__(self, index):
        inputs, y = super().__call__(index)
        x, y = (tf.reshape(points, [-1, 1]) for points in (inputs["query_x"], y))
        return x, tf.where(index == self.bad, np.nan, y)  # [item, 1]


@pytest.fixture
def curve_loop(tmp_path):
    """Loops that fit a dense network to curves, all from the same random state."""

    def make(folder, config=None, bad=-1, trace=None, **options):
        keras.utils.set_random_seed(5)
        config = TinyConfig(run=str(tmp_path / folder), **{"steps": 10, **(config or {})})
        dense = [keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)]
        model = keras.Sequential([keras.layers.Input((1,)), *dense])
        optimizer = keras.optimizers.Adam(0.01)
        optimizer.build(model.trainable_variables)
        curves = Curves(1, 10, tasks=2)
        curves.bad = bad

        def train_step(batch, seed=None):
            x, y = batch
            if trace is not None:
                trace.append(1)
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(x) - y) ** 2)
            gradients = tape.gradient(loss, model.trainable_variables)
            apply_gradients(optimizer, loss, gradients, model.trainable_variables)
            return {"loss": loss}

        return Loop(
            train_step,
            curves,
            model=model,
            optimizer=optimizer,
            run=RunFolder.open(config, "tests.curves"),
            steps=config.steps,
            steps_per_epoch=config.steps_per_epoch,
            steps_per_call=config.steps_per_call,
            verbose=0,
            **options,
        )

    return make


@pytest.mark.parametrize("per_call", [1, 3])
def test_xla_changes_neither_history_nor_weights(curve_loop, per_call):
    """10 steps in epochs of 4: the last one is shorter, and 3 divides neither."""
    plain = curve_loop("plain", {"steps_per_call": per_call})
    compiled = curve_loop("compiled", {"steps_per_call": per_call}, xla=True)
    history, other = plain(), compiled()
    assert [row["step"] for row in other] == [4, 8, 10]
    for a, b in zip(history, other, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-5)
    for a, b in zip(state(plain), state(compiled), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    assert int(compiled.optimizer.iterations) == 10


def test_resumed_with_xla_the_run_ends_with_the_bits_of_an_unbroken_one(curve_loop):
    unbroken = curve_loop("whole", {"steps_per_call": 4}, xla=True)
    unbroken()
    broken = curve_loop("broken", {"steps_per_call": 4}, xla=True)

    def stop(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    broken.callbacks.append(keras.callbacks.LambdaCallback(on_epoch_begin=stop))
    with pytest.raises(KeyboardInterrupt):
        broken()
    again = curve_loop("broken", {"steps_per_call": 4, "resume": True}, xla=True)
    again()
    assert again.history[0] == broken.history[0]
    assert without_time(again.history) == without_time(unbroken.history)
    assert_same_bits(state(again), state(unbroken))


@pytest.mark.parametrize("bad", [4, 5, 6, 7])
def test_with_xla_a_step_that_is_not_finite_leaves_everything_as_before_it(curve_loop, bad):
    """Four steps in one program: wherever the bad one stands, it and those after it do nothing."""
    asked = []

    def explain(index):
        asked.append((index, state(loop)))
        return " Because."

    loop = curve_loop("bad", {"steps_per_call": 4}, bad=bad, xla=True, explain=explain)
    sentence = f"not finite at step {bad} .batch index {bad}, seed 0.; .*step 4 are kept. Because."
    with pytest.raises(RunError, match=sentence):
        loop()
    good = curve_loop("good", {"steps": bad, "steps_per_call": 4}, xla=True)
    good()
    assert_same_bits(state(loop), state(good))
    assert [index for index, _ in asked] == [bad]
    assert_same_bits(asked[0][1], state(good))  # what the explanation saw


def test_without_xla_the_explanation_is_asked_too(curve_loop):
    loop = curve_loop("r", {"steps_per_call": 4}, bad=6, explain=lambda index: f" It is {index}.")
    with pytest.raises(RunError, match="not finite at step 6 .* kept. It is 6.$"):
        loop()
    silent = curve_loop("s", bad=6, explain=lambda index: "")
    with pytest.raises(RunError, match="kept. Lower the learning rate, or look at that batch.$"):
        silent()


def test_xla_traces_once_per_number_of_steps_in_a_call(curve_loop):
    """Epochs of 4 with 3 steps in a call: graphs of 3 and 1 steps, then of the last 2."""
    trace = []
    loop = curve_loop("r", {"steps": 22, "steps_per_call": 3}, xla=True, trace=trace)
    programs = []
    count = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: programs.append(loop._run_steps.experimental_get_tracing_count())
    )
    loop.callbacks.append(count)
    loop()
    assert programs == [2] * 5 + [3]  # no more until the last, shorter epoch
    assert len(trace) == 1  # of the step itself, in all of them


def run_on_two_devices(folder):
    """In a child: the tiny training with XLA on two devices."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    argv = ["--run", folder, "--strategy", "mirrored"]
    script.run(lambda argv: make_loop(configuration.parse(tiny.SCRIPT, argv), xla=True), argv)


def test_xla_on_two_devices_is_refused(tmp_path):
    child = Child(tmp_path / "said.txt", run_on_two_devices, str(tmp_path / "r"))
    assert child.wait() == 2
    assert "error: Steps compiled with XLA run on one device; use --strategy none." in child.said


def test_two_processes_do_not_train_into_one_folder(curve_loop, monkeypatch):
    """The second one ends in a sentence and touches nothing of the first one's."""
    loop = curve_loop("r")

    def busy(path, wait, sentence):
        assert path == loop.run.path / "checkpoints" / ".lock" and wait == 0
        raise RunError(sentence)

    monkeypatch.setattr(files, "locked", busy)
    with pytest.raises(RunError, match="Another process is training into .*r; wait until it has"):
        loop()
    assert loop.step == 0


def test_a_folder_that_is_deleted_before_the_run_takes_its_lock_is_one_sentence(curve_loop):
    loop = curve_loop("r")
    shutil.rmtree(loop.run.path)
    with pytest.raises(RunError, match=r"r is gone; leave a folder alone while it is used\.$"):
        loop()
    with pytest.raises(RunError, match="r is gone; "):
        loop.run.sub("part")


def test_a_folder_that_is_deleted_in_mid_run_is_one_sentence(curve_loop):
    loop = curve_loop("r")
    loop.validate = lambda: shutil.rmtree(loop.run.path) or {}
    with pytest.raises(RunError, match="r is gone, so log.csv cannot be written"):
        loop()


def test_a_training_that_runs_away_is_no_success(curve_loop):
    loop = curve_loop("r")
    loop.optimizer.learning_rate = 1e8
    with pytest.raises(RunError, match=r"The loss ended at \d.*e\+.*: the training has diverged"):
        loop()
    assert not (loop.run.path / "metrics.json").exists()


def test_a_run_is_saved_in_every_epoch(curve_loop):
    """Without it --resume would begin from the beginning, and nobody would notice."""
    loop = curve_loop("r")
    loop()
    saved = sorted(path.name for path in (loop.run.path / "checkpoints").glob("step-*"))
    assert saved == ["step-0000000008", "step-0000000010"]  # of 4, 8 and 10 the newest two


def test_the_line_of_progress_has_measures_under_the_names_they_are_given(loop_of, capsys):
    loop_of(config={"steps": 4}, verbose=2, names={"val_loss": "val_loss 20-way"})()
    printed = capsys.readouterr().out
    assert "val_loss 20-way: " in printed
    assert "step: " not in printed and "seconds: " not in printed
