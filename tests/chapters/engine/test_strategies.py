"""One device, two devices, two processes: the same weights at the same batch of tasks."""

import json
import signal
import socket

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch03_prototypical.encoder import get_embeddings
from chapters.engine import checkpoints, script, strategies
from chapters.engine.errors import RunError
from tests.chapters.engine import tiny
from tests.chapters.engine.children import Child, die_in_save

# Weights of order 0.1 to 1 after 8 steps of Adam; the sums over tasks are taken in another order.
TOLERANCE = 1e-6
STEPS = 8


def run_network(folder, strategy="none", devices=1, resume=False, die_at=None, tasks=2):
    """In a child: a real prototypical network, through the loop, on tasks of random characters."""
    if die_at:
        die_in_save(die_at)
    split_cpu(devices)
    script.run(lambda argv: _train(folder, strategy, resume, tasks))


def run_tiny(devices, argv):
    """In a child: the tiny script on virtual devices."""
    split_cpu(devices)
    script.run(tiny.main, argv)


def split_cpu(devices):
    """Let TensorFlow see several devices in one processor."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    logical = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(cpu, logical)


def _train(folder, strategy_name, resume, tasks):
    import keras

    from chapters.ch03_prototypical import models
    from chapters.ch03_prototypical.presets import TrainConfig
    from chapters.engine.evaluation import Evaluator, accuracy
    from chapters.engine.loop import Loop
    from chapters.engine.runs import RunFolder
    from chapters.engine.update import apply_gradients
    from datasets.dataset import Dataset
    from datasets.tasks.episodes import EpisodeSampler

    config = TrainConfig(run=folder, strategy=strategy_name, resume=resume)
    script.prepare(config.seed)
    strategy = strategies.make(strategy_name)
    run = RunFolder.open(config, "tests.network", chief=strategies.is_chief(strategy_name))
    rng = np.random.default_rng(1)
    items = rng.integers(0, 256, size=[60, 16, 16], dtype=np.uint8)
    item_class = np.repeat(np.arange(10), 6).astype(np.int32)
    names = tuple(map(str, range(10)))
    data = Dataset("noise", items, item_class, names, {"train": np.arange(10)})
    with strategy.scope():
        learner = models.PrototypicalNetwork(get_embeddings((16, 16, 1), 8, 8))
        rate = keras.optimizers.schedules.ExponentialDecay(1e-2, 3, 0.5, staircase=True)
        # The shift of the last batch normalisation has no gradient where ReLU passes all of a
        # task. Adam's usual epsilon would turn the rounding errors there into full steps.
        optimizer = keras.optimizers.Adam(rate, epsilon=1e-3)
        optimizer.build(learner.trainable_variables)

    def train_step(batch, seed=None):
        inputs, query_y = batch
        with tf.GradientTape() as tape:
            logits = learner(inputs, training=True)
            loss = models.negative_log_likelihood(query_y, logits)
        gradients = tape.gradient(loss, learner.trainable_variables)
        apply_gradients(optimizer, loss, gradients, learner.trainable_variables)
        return {"loss": loss, "accuracy": tf.reduce_mean(accuracy(query_y, logits))}

    validate = Evaluator(learner, EpisodeSampler(data, "train", 5, 1, 2, seed=1), 10)
    loop = Loop(
        train_step,
        EpisodeSampler(data, "train", 5, 1, 3, tasks=tasks, seed=2),
        model=learner,
        optimizer=optimizer,
        run=run,
        steps=STEPS,
        steps_per_epoch=4,
        steps_per_call=2,
        validate=lambda: {"accuracy": validate().mean},
        strategy=strategy,
        verbose=0,
    )
    loop()
    print("replicas", strategy.num_replicas_in_sync)


def free_ports(count):
    """Ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def start_workers(tmp_path, function, *args):
    """Two processes on this machine that form a cluster."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    children = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        env = {"TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": task})}
        children.append(Child(tmp_path / f"worker{index}.txt", function, *args, env=env))
    return children


def result(folder):
    """All variables of model and optimizer, and the history."""
    arrays, state = checkpoints.load(folder / "checkpoints", pytest.fail)
    assert state["step"] == STEPS
    return arrays, state["history"]


def assert_equal(first, second):
    """Trainable weights, moving averages, Adam's slots, losses and accuracies."""
    (arrays, history), (others, other_history) = first, second
    assert arrays.keys() == others.keys()
    for name, array in arrays.items():
        np.testing.assert_allclose(array, others[name], rtol=0, atol=TOLERANCE, err_msg=name)
    for ours, theirs in zip(history, other_history, strict=True):
        for name in ("loss", "accuracy", "val_accuracy"):
            assert ours[name] == pytest.approx(theirs[name], abs=1e-5)


def largest_difference(first, second):
    return max(float(np.max(np.abs(a - second[0][name]))) for name, a in first[0].items())


@pytest.fixture(scope="module")
def one_device(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    said = Child(folder / "said.txt", run_network, str(folder / "r")).finish()
    assert "replicas 1" in said
    return result(folder / "r")


def test_two_devices_give_the_weights_of_one(tmp_path, one_device):
    args = (str(tmp_path / "r"), "mirrored", 2)
    said = Child(tmp_path / "said.txt", run_network, *args).finish()
    assert "replicas 2" in said
    both = result(tmp_path / "r")
    assert_equal(both, one_device)
    print(f"largest difference, two devices: {largest_difference(both, one_device):.1e}")


def test_two_workers_give_the_weights_of_one_and_resume_where_they_were_killed(
    tmp_path, one_device
):
    folder = tmp_path / "r"
    args = (str(folder), "multiworker", 1)
    # The chief dies at the last flush of its first save, and the other can only say so.
    chief, other = start_workers(tmp_path, run_network, *args, False, 5)
    assert chief.wait() == -signal.SIGKILL, chief.said
    assert other.wait() == 2, other.said
    assert other.said.splitlines()[-1].startswith("error: Another worker has stopped")
    for worker in start_workers(tmp_path, run_network, *args, True):
        said = worker.finish()
        assert "Resumed at step 4 of 8." in said
        assert "replicas 2" in said
    both = result(folder)
    assert_equal(both, one_device)
    print(f"largest difference, two workers: {largest_difference(both, one_device):.1e}")


@pytest.mark.slow
def test_two_devices_with_two_tasks_each_give_the_weights_of_one(tmp_path):
    """Now each device maps over its tasks, in a loop of the graph."""
    found = {}
    for strategy, devices in (("none", 1), ("mirrored", 2)):
        args = (str(tmp_path / strategy), strategy, devices, False, None, 4)
        Child(tmp_path / "said.txt", run_network, *args).finish()
        found[strategy] = result(tmp_path / strategy)
    assert_equal(found["mirrored"], found["none"])
    print(f"largest difference, two tasks each: {largest_difference(*found.values()):.1e}")


def test_a_loss_that_is_not_finite_stops_all_devices_with_one_sentence(tmp_path):
    argv = ["--run", str(tmp_path / "r"), "--strategy", "mirrored", "--bad-step", "6"]
    child = Child(tmp_path / "said.txt", run_tiny, 2, argv)
    assert child.wait() == 2, child.said
    assert "not finite at step 6 (batch index 6, seed 0); the weights of step 4" in child.said
    assert checkpoints.load(tmp_path / "r/checkpoints", pytest.fail)[1]["step"] == 4


@pytest.mark.slow
def test_a_loss_that_is_not_finite_on_one_worker_stops_both(tmp_path):
    argv = ["--run", str(tmp_path / "r"), "--strategy", "multiworker", "--bad-step", "6"]
    children = start_workers(tmp_path, run_tiny, 1, argv)
    codes = [child.wait() for child in children]
    assert codes == [2, 2], [child.said for child in children]
    assert "not finite at step 6" in children[1].said  # its share has the bad item
    assert checkpoints.load(tmp_path / "r/checkpoints", pytest.fail)[1]["step"] == 4


def test_training_went_somewhere(one_device):
    """Equal weights would mean little if they were still those of the start."""
    _, history = one_device
    assert history[-1]["loss"] != pytest.approx(history[0]["loss"], abs=1e-3)


def test_tasks_that_cannot_be_shared_evenly_are_one_sentence(tmp_path):
    args = (str(tmp_path / "r"), "mirrored", 2, False, None, 3)
    child = Child(tmp_path / "said.txt", run_network, *args)
    assert child.wait() == 2, child.said
    sentence = (
        "error: A step has 3 tasks, which 2 devices cannot share evenly; use a multiple of 2."
    )
    assert child.said.splitlines()[-1] == sentence


BROKEN = {
    "missing": None,
    "not JSON": "{",
    "without workers": '{"cluster": {}, "task": {"type": "worker", "index": 0}}',
    "empty list of workers": '{"cluster": {"worker": []}, "task": {"index": 0}}',
    "without index": '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker"}}',
    "a list": "[]",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_an_unusable_tf_config_is_one_sentence(monkeypatch, text):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    for ask in (strategies.make, strategies.is_chief):
        with pytest.raises(RunError, match="needs the environment variable TF_CONFIG") as caught:
            ask("multiworker")
        assert "\n" not in str(caught.value)


def test_the_first_worker_is_the_chief(monkeypatch):
    for index in range(2):
        config = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": index}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(config))
        assert strategies.is_chief("multiworker") == (index == 0)
    assert strategies.is_chief("none") and strategies.is_chief("mirrored")


def test_without_a_strategy_a_batch_stays_whole():
    batch = tiny.Data(0)(tf.constant(0))
    assert strategies.share(batch, strategies.make("none")) is batch
