"""Pictures without labels: what is read, and that no label is ever looked at."""

import dataclasses
import types

import numpy as np
import pytest
from PIL import Image

import datasets
from chapters.ch09_frontiers import autoencoder, clustering, train_unlabelled, unlabelled
from chapters.ch09_frontiers.presets import SCRIPTS
from chapters.engine import configuration
from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Conditions
from chapters.engine.runs import RunFolder
from datasets import DataError
from datasets.errors import DataNotice
from tests.chapters.experiments.test_images import write_folder

SMALL = [
    "--image-size", "16", "--way", "4", "--query", "2", "--h-dim", "2", "--z-dim", "2",
    "--columns", "3w1s", "--test-episodes", "4", "--test-query", "2",
]  # fmt: skip
PIXELS = [
    "--labels", "clusters", "--embedding", "pixels", "--clusters", "30", "--partitions", "2",
    "--dim", "4",
]  # fmt: skip
CODES = ["--labels", "clusters", "--clusters", "30", "--partitions", "2", "--dim", "4"]


def options(*arguments, script="train_unlabelled"):
    return configuration.parse(SCRIPTS[script], [*SMALL, *arguments])


@pytest.fixture(scope="module")
def loose(tmp_path_factory):
    """A folder of 24 pictures without classes."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(24):
        Image.fromarray(rng.integers(0, 256, [18, 18], np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def opened(tmp_path):
    """Opens the folder of a run with some options."""

    def open_run(config):
        place = dataclasses.replace(config, run=str(tmp_path / "run"))
        return RunFolder.open(place, "chapters.ch09_frontiers.train_unlabelled", "CPU")

    return open_run


@pytest.mark.parametrize("how", [[], PIXELS, CODES], ids=["copies", "pixels", "codes"])
def test_shuffled_labels_give_the_same_tasks_bit_for_bit(how, opened, monkeypatch):
    config = options("--data", "strokes", *how)
    data = datasets.load("strokes", size=16)
    own = np.flatnonzero(np.isin(data.item_class, data.classes("train")))
    rng = np.random.default_rng(1)
    # The pictures of the training classes, with their labels in another order among themselves.
    label = data.item_class.copy()
    label[own] = np.sort(rng.choice(data.classes("train"), len(own)))
    other = dataclasses.replace(data, item_class=label)
    untrained = autoencoder.Autoencoder((16, 16, 1), 4, channels=2)
    loop = types.SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(clustering, "train_autoencoder", lambda *arguments: (untrained, loop))
    found = []
    for one in (data, other):
        run = opened(dataclasses.replace(config, resume=bool(found)))
        (run.path / "clusters.npy").unlink(missing_ok=True)
        tasks = unlabelled.samplers(one, config, run, 4, 2)
        found.append(tasks.training(5))
    for name, x in found[0][0].items():
        np.testing.assert_array_equal(found[1][0][name], x)


def test_only_labels_that_are_asked_for_are_used():
    config = options("--data", "strokes", "--labels", "true")
    data = datasets.load("strokes", size=16)
    tasks = unlabelled.samplers(data, config, None, 4, 2)
    ids = tasks.training.episode(0).class_ids.numpy() % len(data.class_names)
    assert set(ids.ravel()) <= set(data.classes("train")) and tasks.clusters is None


def test_clusters_are_kept_in_the_folder_of_a_run(opened, monkeypatch):
    config = options("--data", "strokes", *PIXELS)
    data = datasets.load("strokes", size=16)
    first = unlabelled.samplers(data, config, opened(config), 4, 2)
    resumed = opened(dataclasses.replace(config, resume=True))
    kept = np.load(resumed.path / "clusters.npy")
    np.testing.assert_array_equal(kept, first.clusters.training.partitions)
    np.save(resumed.path / "clusters.npy", kept[:, ::-1])  # to tell taking from making
    again = unlabelled.samplers(data, config, resumed, 4, 2)
    np.testing.assert_array_equal(again.clusters.training.partitions, kept[:, ::-1])
    centre = first.clusters.centres[kept[0, 0]]
    z = first.clusters.embedding.of_all(clustering.pictures_at(data, first.clusters.training[0]))
    np.testing.assert_allclose(centre, z[kept[0] == kept[0, 0]].mean(axis=0), atol=1e-5)


def test_validation_has_pictures_of_other_classes_and_as_many_to_a_cluster(opened):
    config = options("--data", "strokes", "--labels", "clusters", "--embedding", "pixels",
                     "--clusters", "60", "--partitions", "1", "--dim", "4")  # fmt: skip
    data = datasets.load("strokes", size=16)
    found = unlabelled.samplers(data, config, opened(config), 4, 2).clusters
    training, validation = (data.item_class[part.positions] for part in found[1:3])
    assert not set(training) & set(validation)
    sizes = [len(p.positions) / (p.partitions.max() + 1) for p in found[1:3]]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)


def test_a_folder_without_classes_is_read_and_split(loose):
    config = options("--data", str(loose), "--way", "60")
    with pytest.warns(DataNotice, match="--way 60 becomes 14"):
        data, fitted = unlabelled.load(config)
    assert len(data.items) == 24 and data.class_names[10] == "10.png"
    assert [len(data.classes(split)) for split in ("train", "val", "test")] == [14, 5, 5]
    assert not fitted.rotations and fitted.columns == "3w1s" and fitted.test_episodes == 600
    sampler = unlabelled.test_sampler(data, fitted, unlabelled.Column(3, 1))
    held_back = set(data.classes("test"))
    assert set(sampler.episode(0).class_ids.numpy().ravel()) <= held_back


def test_a_network_of_so_many_outputs_is_tested_with_as_many(loose):
    config = configuration.parse(
        SCRIPTS["train_unlabelled_maml"], ["--data", str(loose), "--way", "9", "--columns", "9w1s"]
    )
    _, fitted = unlabelled.load(config)
    assert fitted.way == 5 and fitted.columns == "5w1s"


def test_class_folders_limit_the_test_and_not_what_is_trained_on(tmp_path):
    folder = write_folder(tmp_path, 6, 5)
    config = options("--data", str(folder), "--way", "9", "--columns", "2w1s")
    with pytest.warns(DataNotice):
        data, fitted = unlabelled.load(config)
    assert len(data.classes("train")) == 2
    assert fitted.way == 9 and fitted.query == 2  # of ten pictures


def test_what_a_folder_lacks_is_one_sentence(loose, tmp_path):
    with pytest.raises(ConfigError, match="--labels true needs class folders"):
        unlabelled.load(options("--data", str(loose), "--labels", "true"))
    few = tmp_path / "few"
    few.mkdir()
    for number in range(3):
        Image.new("L", (8, 8), number).save(few / f"{number}.png")
    with pytest.raises(DataError, match="has 3 images; 20 are needed"):
        unlabelled.load(options("--data", str(few)))


def test_too_few_pictures_for_the_clusters_are_told_before_anything_is_learned(loose, opened):
    config = options("--data", str(loose), "--labels", "clusters", "--clusters", "15")
    data, config = unlabelled.load(config)
    with pytest.raises(DataError, match="14 pictures cannot make 15 clusters"):
        unlabelled.samplers(data, config, opened(config), 3, 1)


def test_a_model_of_a_loose_folder_is_tested_again_on_copies(loose):
    config = options("--data", str(loose))
    learner = train_unlabelled.build_learner(config)
    (row,) = unlabelled.evaluate(learner, config, Conditions(episodes=6, query=2))
    assert row["measure"] == "accuracy_on_copies" and row["label"] == "3-way 1-shot, of copies"
    assert row["episodes"] == 6 and row["query"] == 2
    with pytest.raises(ConfigError, match="stored averages"):
        unlabelled.evaluate(learner, config, Conditions(batch_norm="support"))
