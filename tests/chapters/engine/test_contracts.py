"""The contracts of the engine, each filled by a toy: what the next chapters only have to fill."""

from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf

import datasets
from chapters.ch06_maml.losses import squared_error
from chapters.ch08_gradient_agreement.outliers import Outliers
from chapters.engine import configuration
from chapters.engine.configuration import RunConfig, Script, option
from chapters.engine.errors import RunError
from chapters.engine.evaluation import Evaluator
from chapters.engine.learner import FewShotLearner, GradientLearner
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from datasets.tasks import draws
from datasets.tasks.episodes import EpisodeSampler
from datasets.tasks.hyperplanes import HyperplaneTasks
from datasets.tasks.sinusoid import SineTasks
from datasets.tasks.unlabelled import UnlabelledSampler


@dataclass(frozen=True)
class Config(RunConfig):
    """Options of a run."""

    steps: int = option(6, "training steps")


def train(folder, train_step, batches, model, rate=0.1, resume=False, xla=False, steps=6):
    """A run of ``Loop`` into ``folder``, one epoch of two steps after the other."""
    script = Script("A toy.", Config, {"toy": {}})
    options = {"run": str(folder), "resume": resume, "seed": 5, "steps": steps}
    config = configuration.build(script, "toy", {"preset": "toy", **options})
    optimizer = keras.optimizers.SGD(rate)
    optimizer.build(model.trainable_variables)
    loop = Loop(
        train_step(model, optimizer), batches, model=model, optimizer=optimizer,
        run=RunFolder.open(config, "tests.toy"), steps=steps, steps_per_epoch=2, verbose=0, xla=xla,
    )  # fmt: skip
    return loop()


# --- samplers -------------------------------------------------------------------------------------

SAMPLERS = {
    "episodes": lambda seed: EpisodeSampler(
        datasets.load("strokes", size=8), "train", 3, 1, 2, tasks=2, seed=seed
    ),
    "unlabelled": lambda seed: UnlabelledSampler(
        datasets.load("strokes", size=8), "train", 3, 1, 1, 4, 2, labelled=0.1, tasks=2, seed=seed
    ),
    "curves": lambda seed: SineTasks(3, 4, 2, seed),
    "points": lambda seed: HyperplaneTasks(3, 4, 2, seed),
    "outliers": lambda seed: Outliers(SineTasks(3, 4, 2, seed), 1),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_is_a_function_of_seed_and_index(name):
    sampler, again, other = (SAMPLERS[name](seed) for seed in (3, 3, 4))
    assert (sampler.tasks, sampler.seed) == (2, 3)
    graph = tf.function(again)
    seventh = tf.nest.flatten(sampler(7))
    for ours, theirs in zip(seventh, tf.nest.flatten(graph(tf.constant(7))), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.shape[0] == 2
    for different in (sampler(8), other(7)):
        pairs = zip(seventh, tf.nest.flatten(different), strict=True)
        assert any(not np.array_equal(ours, theirs) for ours, theirs in pairs)


# --- the seed of a step ---------------------------------------------------------------------------


class Walk(keras.Model):
    """A point that is pushed about."""

    def __init__(self):
        super().__init__()
        self.place = self.add_weight(shape=(), initializer="zeros", name="place")
        self.built = True


def push(model, optimizer):
    """A step that draws where the point is pushed to."""

    def step(batch, seed):
        direction = draws.normal([], seed)
        apply_gradients(optimizer, direction, [direction], model.trainable_variables)
        return {"loss": tf.abs(direction), "index": tf.cast(seed[1], tf.float32)}

    return step


@pytest.mark.parametrize("xla", [False, True])
def test_every_step_has_a_seed_of_its_own_that_a_continuation_repeats(tmp_path, xla):
    whole, parted = Walk(), Walk()
    history = train(tmp_path / "whole", push, lambda index: index, whole, xla=xla)
    assert [row["index"] for row in history] == [0.5, 2.5, 4.5]  # means of two
    assert len({row["loss"] for row in history}) == 3
    expected = -0.1 * sum(float(draws.normal([], tf.constant([5, index]))) for index in range(6))
    np.testing.assert_allclose(whole.place, expected, rtol=1e-5)

    train(tmp_path / "parted", push, lambda index: index, parted, xla=xla, steps=4)
    (tmp_path / "parted/config.json").write_text(
        (tmp_path / "parted/config.json").read_text().replace('"steps": 4', '"steps": 6')
    )
    again = Walk()
    train(tmp_path / "parted", push, lambda index: index, again, resume=True, xla=xla)
    np.testing.assert_array_equal(again.place, whole.place)


# --- optional inputs ------------------------------------------------------------------------------


class NearestMean(FewShotLearner):
    """Compares with class means, into which unlabelled items go where there are any."""

    item_shape = (2,)
    OPTIONAL = ("unlabelled_x",)

    def input_shapes(self):
        """Unlabelled items are items."""
        return {**super().input_shapes(), "unlabelled_x": self.item_shape}

    def call(self, inputs, training=False):
        """Logits [task, query, way]."""
        x, labels = inputs["support_x"], inputs["support_y"]
        member = tf.one_hot(labels, tf.reduce_max(labels) + 1)  # [task, support, way]
        if "unlabelled_x" in inputs:
            means = self._means(member, x)
            more = inputs["unlabelled_x"]
            member = tf.concat([member, tf.nn.softmax(self._logits(means, more))], axis=1)
            x = tf.concat([x, more], axis=1)
        return self._logits(self._means(member, x), inputs["query_x"])

    def _means(self, member, x):
        total = tf.einsum("tsw,tsd->twd", member, x)
        return total / tf.reduce_sum(member, axis=1)[..., None]  # [task, way, dim]

    def _logits(self, means, x):
        return -tf.reduce_sum((x[:, :, None] - means[:, None]) ** 2, axis=-1)


TASK = {
    "support_x": np.array([[[0.0, 0.0], [4.0, 0.0]]], np.float32),
    "support_y": [[0, 1]],
    "query_x": np.array([[[2.2, 0.0]]], np.float32),
}


def test_an_optional_input_may_be_there_or_not():
    learner = NearestMean()
    unlabelled = np.array([[[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]])  # float64, is converted
    assert learner(TASK)[0, 0].numpy().argmax() == 1
    assert learner({**TASK, "unlabelled_x": unlabelled})[0, 0].numpy().argmax() == 0


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (np.zeros([1, 3, 5]), r"unlabelled_x has items of shape \(5,\)"),
        (np.zeros([2, 3, 2]), r"unlabelled_x has 2 task\(s\) and query_x 1"),
        (np.full([1, 3, 2], np.nan), "unlabelled_x holds numbers that are not finite"),
        (None, "unlabelled_x is no array of numbers"),
    ],
)
def test_an_optional_input_is_checked_like_the_others(value, sentence):
    with pytest.raises(RunError, match=sentence):
        NearestMean()({**TASK, "unlabelled_x": value})


def test_a_misspelt_input_is_refused_and_the_right_one_suggested():
    with pytest.raises(RunError, match="no input 'unlabeled_x' .did you mean 'unlabelled_x'"):
        NearestMean()({**TASK, "unlabeled_x": np.zeros([1, 3, 2])})
    with pytest.raises(RunError, match="A task is a dict of inputs, and list was given"):
        NearestMean()([1])


def test_what_may_be_missing_is_no_input_of_an_exported_file(tmp_path):
    learner = NearestMean()
    learner.export(tmp_path / "model")
    serve = tf.saved_model.load(str(tmp_path / "model")).signatures["serve"]
    task = {name: tf.constant(np.asarray(x)[0]) for name, x in TASK.items()}
    task["support_y"] = tf.cast(task["support_y"], tf.int32)
    found = serve(**task)["probabilities"]
    np.testing.assert_allclose(found, tf.nn.softmax(learner(TASK))[0], atol=1e-6)


def test_an_exported_file_has_a_second_entrance_for_what_may_be_missing(tmp_path):
    learner = NearestMean()
    learner.export(tmp_path / "model")
    serve = tf.saved_model.load(str(tmp_path / "model")).signatures["serve_full"]
    full = {**TASK, "unlabelled_x": np.array([[[1.0, 0.0]] * 3], np.float32)}
    task = {name: tf.constant(np.asarray(x)[0]) for name, x in full.items()}
    task["support_y"] = tf.cast(task["support_y"], tf.int32)
    found = serve(**task)["probabilities"]
    np.testing.assert_allclose(found, tf.nn.softmax(learner(full))[0], atol=1e-6)
    assert float(tf.reduce_max(tf.abs(found - tf.nn.softmax(learner(TASK))[0]))) > 0.1


# --- classes known by attributes, no support set --------------------------------------------------


class Attributes(FewShotLearner):
    """Maps items to attributes; the class is the one whose attributes agree most."""

    item_shape = (3,)

    def __init__(self):
        super().__init__()
        self.layer = keras.layers.Dense(2, use_bias=False, kernel_initializer="zeros")
        self.layer.build((None, 3))
        self.built = True

    def input_shapes(self):
        """Attributes of each class instead of a support set."""
        return {"class_x": (2,), "query_x": self.item_shape}

    def call(self, inputs, training=False):
        """Logits [task, query, way]."""
        return tf.einsum("tqd,twd->tqw", self.layer(inputs["query_x"]), inputs["class_x"])


class Zoos:
    """Tasks of two classes each: their attributes are directions, which the items show."""

    tasks, seed = 2, 0

    def __call__(self, index):
        """Inputs, and the labels [task, query]."""
        seed = tf.stack([self.seed, tf.cast(index, tf.int32)])
        query_y = tf.cast(draws.uniform([2, 8], seed) * 2, tf.int32)
        directions = tf.tile(tf.eye(2)[None], [2, 1, 1])  # [task, way, attribute]
        shown = tf.gather(directions, query_y, batch_dims=1)  # [task, query, attribute]
        x = tf.concat([shown, tf.ones([2, 8, 1])], axis=-1)
        return {"class_x": directions, "query_x": x}, query_y


def classify(model, optimizer):
    """An ordinary step: tape, loss, gradient."""

    def step(batch, seed=None):
        inputs, query_y = batch
        with tf.GradientTape() as tape:
            logits = model(inputs, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(query_y, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        apply_gradients(optimizer, loss, gradients, model.trainable_variables)
        return {"loss": loss}

    return step


def test_a_learner_without_a_support_set_is_trained_tested_and_exported(tmp_path):
    learner, tasks = Attributes(), Zoos()
    assert [spec.name for spec in learner.signature()] == ["class_x", "query_x"]
    train(tmp_path / "run", classify, tasks, learner, rate=1.0)
    assert Evaluator(learner, tasks, 10)().mean == 1.0
    with pytest.raises(RunError, match="A task has class_x, query_x; class_x is missing"):
        learner({"query_x": np.zeros([1, 1, 3])})
    learner.export(tmp_path / "model")
    serve = tf.saved_model.load(str(tmp_path / "model")).signatures["serve"]
    inputs, _ = tasks(0)
    found = serve(**{name: x[0] for name, x in inputs.items()})["probabilities"]
    np.testing.assert_allclose(found, tf.nn.softmax(learner(inputs))[0], atol=1e-6)
    spoilt = tf.where(tf.range(8)[:, None] == 3, np.nan, inputs["query_x"][0])
    found = serve(class_x=inputs["class_x"][0], query_x=spoilt)["probabilities"].numpy()
    np.testing.assert_array_equal(np.isnan(found).any(axis=1), np.arange(8) == 3)


# --- what comes out -------------------------------------------------------------------------------


class Relation(NearestMean):
    """Answers with scores from 0 to 1 for each class by itself; they need not add up to 1."""

    output = "scores"

    def call(self, inputs, training=False):
        """Scores [task, query, way]."""
        return tf.exp(super().call(inputs, training))

    def answer(self, prediction, support_y):
        """Scores as they are."""
        return {"scores": prediction}


def test_a_learner_says_how_its_output_becomes_an_answer(tmp_path):
    learner = Relation()
    learner.export(tmp_path / "model")
    serve = tf.saved_model.load(str(tmp_path / "model")).signatures["serve"]
    task = {name: tf.constant(np.asarray(x)[0]) for name, x in TASK.items()}
    found = serve(**{**task, "support_y": tf.constant([0, 1])})
    assert list(found) == ["scores"]
    np.testing.assert_allclose(found["scores"], learner(TASK)[0], atol=1e-6)
    assert learner.labelled and list(learner.task_metrics(tf.constant([[1]]), learner(TASK)))


def test_an_output_of_ones_own_is_not_taken_for_logits():
    class Forgot(NearestMean):
        """Says that it predicts scores, and not how they become an answer."""

        output = "scores"

    with pytest.raises(NotImplementedError, match="predicts scores; it needs an answer of its own"):
        Forgot().answer(tf.zeros([1, 2]), tf.constant([0, 1]))


def test_the_loss_says_whether_targets_are_labels_or_values():
    network = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(3)])
    values = GradientLearner(network, squared_error)
    assert (values.output, values.way, values.task_metrics(0, 0)) == ("values", None, {})
    assert values.signature()[1] == tf.TensorSpec([None, 3], tf.float32, "support_y")
    labels = GradientLearner(network, lambda y, prediction: 0.0)
    assert (labels.output, labels.way) == ("logits", 3)
    assert labels.signature()[1] == tf.TensorSpec([None], tf.int32, "support_y")


# --- data that depend on the weights --------------------------------------------------------------


class Bandits:
    """Tasks of two arms; one of them pays."""

    tasks, seed = 8, 1

    def __call__(self, index):
        """No inputs; what each arm pays [task, arm]."""
        seed = tf.stack([self.seed, tf.cast(index, tf.int32)])
        first = tf.cast(draws.uniform([self.tasks], seed) < 0.5, tf.float32)
        return {}, tf.stack([first, 1 - first], axis=1)


class Policy(keras.Model):
    """Logits of two arms, and how far one inner step goes: with both it learns to try and keep."""

    def __init__(self):
        super().__init__()
        self.logits = self.add_weight(shape=(2,), initializer="zeros", name="logits")
        self.rate = self.add_weight(shape=(), initializer="ones", name="rate")
        self.built = True

    def rollout(self, weights, pays, seed, pulls=20):
        """Actions and rewards [task, trajectory] under the logits [task, arm] of each task."""
        chance = tf.nn.softmax(weights[0])[:, :1]  # [task, 1]
        uniform = draws.uniform([pays.shape[0], pulls], seed)
        action = tf.cast(uniform >= chance, tf.int32)
        return {"action": action, "reward": tf.gather(pays, action, batch_dims=1)}

    def surrogate(self, weights, data):
        """Log probability of the actions times reward, less the task's mean: [task]."""
        log = tf.gather(tf.nn.log_softmax(weights[0]), data["action"], batch_dims=1)
        gain = data["reward"] - tf.reduce_mean(data["reward"], axis=1, keepdims=True)
        return -tf.reduce_mean(log * tf.stop_gradient(gain), axis=1)

    def adapt(self, pays, seeds):
        """One policy-gradient step on trajectories of the present weights."""
        weights = [tf.tile(self.logits[None], [pays.shape[0], 1])]  # [task, arm]
        data = self.rollout(weights, pays, seeds[0])
        with tf.GradientTape() as tape:
            tape.watch(weights)
            losses = self.surrogate(weights, data)
        (gradient,) = tape.gradient(losses, weights)
        return [weights[0] - self.rate * gradient]


def act(model, optimizer):
    """Trajectories before the inner step, and new ones with the adapted policy."""

    def step(batch, seed):
        _, pays = batch
        seeds = tf.unstack(tf.random.split(seed, 2, alg="philox"))
        with tf.GradientTape() as tape:
            adapted = model.adapt(pays, seeds)
            data = model.rollout(adapted, pays, seeds[1])
            loss = tf.reduce_mean(model.surrogate(adapted, data))
        gradients = tape.gradient(loss, model.trainable_variables)
        apply_gradients(optimizer, loss, gradients, model.trainable_variables)
        return {"loss": loss, "reward": tf.reduce_mean(data["reward"])}

    return step


def test_data_may_be_made_by_the_weights_between_inner_steps(tmp_path):
    policy = Policy()
    history = train(tmp_path / "run", act, Bandits(), policy, rate=5.0, steps=60)
    rewards = [row["reward"] for row in history]
    assert np.mean(rewards[:3]) < 0.75 < 0.9 < np.mean(rewards[-3:])
    assert float(policy.rate) > 1.0  # it has learned to trust what it tried
    again = Policy()
    assert (
        train(tmp_path / "again", act, Bandits(), again, rate=5.0, steps=60)[-1]["reward"]
        == (rewards[-1])
    )


def test_adapted_weights_act_otherwise_than_those_before_on_the_same_seed():
    policy, (_, pays) = Policy(), Bandits()(0)
    seeds = tf.constant([[1, 2], [3, 4]])
    before = policy.rollout([tf.zeros([8, 2])], pays, seeds[1])["reward"]
    policy.rate.assign(20.0)
    after = policy.rollout(policy.adapt(pays, seeds), pays, seeds[1])["reward"]
    assert np.mean(before) < 0.7 < 0.95 < np.mean(after)


def test_a_step_that_takes_no_seed_is_refused_before_it_is_traced(tmp_path):
    def alone(model, optimizer):
        return lambda batch: {"loss": batch}

    with pytest.raises(RunError, match="called with a batch and a seed .*contracts.TrainStep"):
        train(tmp_path / "run", alone, lambda index: index, Walk())
