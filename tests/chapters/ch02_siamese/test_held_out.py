"""What is tested on has no say in what is tested: people and clips that were held out stay out.

Nothing is trained; what the training would have been given is looked at instead.
"""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch02_siamese import faces, sounds, train_audio, train_faces
from chapters.ch02_siamese.losses import contrastive_loss
from chapters.ch02_siamese.presets import AudioConfig, FacesConfig
from chapters.engine.evaluation import Conditions
from chapters.engine.runs import RunFolder
from datasets.dataset import Dataset
from datasets.tasks.pairs import folder_folds
from tests.chapters.ch02_siamese.test_sounds import made_clips

FACES = FacesConfig(splits=4, val_people=3, dim=6, pairs=4)
AUDIO = AudioConfig(data="synth_sounds", folds=3, repeats=2, dim=4, channels=4, crop=16, pairs=4)


@pytest.fixture
def given(monkeypatch):
    """What every training was given, in order; it leaves the network as it was."""
    calls = []

    def train(siamese, batches, validate, *rest, **options):
        calls.append(SimpleNamespace(siamese=siamese, batches=batches, validate=validate))
        return SimpleNamespace(history=[{"loss": 0.0, "val_loss": 0.0}], seconds=0.0)

    monkeypatch.setattr(train_faces, "train", train)
    monkeypatch.setattr(train_audio, "train", train)
    return calls


def twelve_people(seed=0):
    """Pictures of one person are more alike than others, but not by much: items [48, 56, 46]."""
    random = np.random.default_rng(seed)
    own = np.repeat(random.normal(size=[12, 4, 4]), 4, axis=0) + random.normal(size=[48, 4, 4])
    large = np.kron(own, np.ones([1, 14, 14]))[:, :, :46]
    items = np.clip(128 + 30 * large, 0, 255).astype(np.uint8)
    names = tuple(f"s{n}" for n in range(1, 13))
    return Dataset("twelve", items, np.repeat(np.arange(12, dtype=np.int32), 4), names)


def with_other_pictures(people: Dataset, split: str) -> Dataset:
    """The same people, those of one split with other pictures."""
    of_split = np.isin(people.item_class, people.splits[split])
    items = people.items.copy()
    items[of_split] = twelve_people(seed=1).items[of_split]
    return dataclasses.replace(people, items=items)


@pytest.mark.parametrize("split", ["test", "val"])
def test_people_of_the_test_choose_nothing_and_those_of_validation_choose(split, given, tmp_path):
    people = faces.split_people(twelve_people(), 0, FACES)
    run = RunFolder(tmp_path, FACES, "tests.faces")
    results = [
        train_faces.train_split(everybody, 0, FACES, run)
        for everybody in (people, with_other_pictures(people, split))
    ]
    one, other = given
    for a, b in zip(one.siamese.get_weights(), other.siamese.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)  # the whitening among them
    for a, b in zip(*map(tf.nest.flatten, (one.batches(0), other.batches(0))), strict=True):
        np.testing.assert_array_equal(a, b)
    (first, second), tested = results, split == "test"
    names = ("threshold", "sharpness")
    assert [first["decision"][n] == second["decision"][n] for n in names] == [tested, tested]
    assert (one.validate() == other.validate()) == tested
    for name in (train_faces.START, train_faces.PIXELS):
        thresholds = [result["scores"][name].threshold for result in results]
        assert (thresholds[0] == thresholds[1]) == tested
        assert (first["scores"][name].auc == second["scores"][name].auc) != tested
        assert (first["one_shot"][name] == second["one_shot"][name]) != tested


class Recogniser:
    """Pictures are as grey as the number of the person; only some people are told apart."""

    def __init__(self, known):
        self.known, self.seen, self.siamese = known, set(), SimpleNamespace(energy="euclidean")

    def embed(self, pictures):
        number = tf.round(255 / 20 * tf.reduce_mean(pictures, axis=[-3, -2, -1]))
        return tf.where(tf.reduce_any(number[..., None] == self.known, axis=-1), number, 0)[:, None]

    def __call__(self, inputs):
        for name in ("support_x", "query_x"):
            self.seen |= set(self.embed(inputs[name][0])[:, 0].numpy().tolist())
        return tf.one_hot(tf.zeros(inputs["query_x"].shape[:2], tf.int32), 2)


@pytest.fixture
def eager():
    """No graphs: what is computed can be looked at."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("seed", [0, 4])
def test_a_published_network_is_tested_on_the_people_it_never_saw(seed, eager, monkeypatch):
    """The split follows the seed of the training, the tasks the seed that is asked for."""
    person = np.repeat(np.arange(1, 13, dtype=np.int32), 3)
    items = np.ones([36, 8, 8], np.uint8) * (20 * person[:, None, None]).astype(np.uint8)
    people = Dataset("greys", items, person - 1, tuple(f"s{n}" for n in range(1, 13)))
    monkeypatch.setattr(faces, "load", lambda config: people)
    config = dataclasses.replace(FACES, seed=seed)
    tested = faces.split_people(people, 0, config).splits["test"] + 1
    learner = Recogniser(tested.astype(np.float32))
    rows = train_faces.evaluate(learner, config, Conditions(way=2, query=1, episodes=60, seed=1))
    assert learner.seen == set(tested.tolist())
    found = {row["measure"]: row["mean"] for row in rows[1:]}
    assert found == {"auc": 1.0, "equal_error_rate": 0.0, "one_shot_accuracy": 1.0}


def test_a_fold_is_normalised_by_its_training_clips_and_judged_on_the_others(given, tmp_path):
    clips = made_clips()
    fold = folder_folds(clips.folder, AUDIO.folds, 0)
    run = RunFolder(tmp_path, AUDIO, "tests.sounds")
    sides = np.flatnonzero(fold != 0), np.flatnonzero(fold == 0)
    train_audio.train_fold(clips, *sides, AUDIO, run, 0, 0)
    heard = np.concatenate([clips.features[k, :, : clips.valid[k]] for k in sides[0]], axis=1)
    siamese = given[0].siamese
    layer = siamese.encoder.get_layer("normalise")
    np.testing.assert_allclose(layer.mean[:, 0], heard.mean(axis=1), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(layer.deviation[:, 0], heard.std(axis=1), rtol=1e-3)

    pairs = sounds.get_data(clips, sides[1])
    distance = siamese.pair_distance(clips.features[pairs.first], clips.features[pairs.second])
    label = pairs.genuine.astype(np.float32)[:, None]
    expected = float(contrastive_loss(label, distance, AUDIO.margin))
    assert float(given[0].validate()["loss"]) == pytest.approx(expected, rel=1e-5)


def test_every_fold_of_every_repeat_has_first_weights_of_its_own(given, tmp_path):
    clips, kernels = made_clips(), []
    for repeat in range(AUDIO.repeats):
        fold = folder_folds(clips.folder, AUDIO.folds, repeat)
        run = RunFolder(tmp_path, AUDIO, "tests.sounds")
        for number in range(AUDIO.folds):
            sides = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            train_audio.train_fold(clips, *sides, AUDIO, run, repeat, number)
            kernels.append(given[-1].siamese.trainable_variables[0].numpy().tobytes())
    assert len(set(kernels)) == 6


def test_nothing_is_fitted_to_the_clips_it_is_tested_on(monkeypatch, tmp_path):
    """Neither the baselines nor the sides that the network's score is taken from."""
    clips = made_clips()
    fold = folder_folds(clips.folder, AUDIO.folds, 0)
    fitted = {"siamese": None, "decision": {}, "loop": SimpleNamespace(
        history=[{"val_loss": 0.0}], seconds=0.0)}  # fmt: skip
    fitted["siamese"] = SimpleNamespace(embed=lambda x: tf.reduce_mean(x[:, 1:3], axis=2))
    monkeypatch.setattr(train_audio, "train_fold", lambda *arguments: fitted)
    used = {"class_probability": [], "class_score": []}

    def noted(module, name, position):
        real = getattr(module, name)

        def call(*arguments):
            used[name].append(arguments[position].tolist())
            return real(*arguments)

        monkeypatch.setattr(module, name, call)

    noted(train_audio.baselines, "class_probability", 2)
    noted(train_audio, "class_score", 2)
    run = RunFolder(tmp_path, AUDIO, "tests.sounds")
    result = train_audio.cross_validate(clips, fold, 0, AUDIO, run)
    others = [np.flatnonzero(fold != number).tolist() for number in range(AUDIO.folds)]
    assert used["class_score"] == others
    assert used["class_probability"] == [clips for clips in others for _ in range(2)]
    pairs = result["pairs"]
    assert (fold[pairs.first] == fold[pairs.second]).all()
    assert len(pairs.first) == AUDIO.folds * 2 * (2 * 2)  # two dogs with two others, of each kind
