"""Sounds: features, pairs of files, normalisation, crops, baselines."""

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from chapters.ch02_siamese import baselines, sounds, train_audio
from chapters.ch02_siamese.presets import AudioConfig
from chapters.engine.evaluation import Conditions
from datasets.errors import DataError
from datasets.sets.sounds import Clips
from datasets.tasks.pairs import folder_folds


def made_clips(per_folder=6, frames=400):
    """Clips of which the second coefficient tells cats from dogs; cats are longer."""
    random = np.random.default_rng(0)
    folder = np.repeat(["Cats", "Dogs", "Sub_dogs"], per_folder)
    valid = np.where(folder == "Cats", 300, 90) + random.integers(-40, 40, len(folder))
    features = random.normal(size=[len(folder), 20, frames]).astype(np.float32)
    features[:, 0] = features[:, 0] * 80 - 360  # as loud as MFCC are
    features[:, 1] += np.where(folder == "Cats", 2.0, -2.0)[:, None]
    features *= np.arange(frames) < valid[:, None, None]
    return Clips(
        features=features,
        valid=valid.astype(np.int32),
        folder=folder,
        file=np.array([f"{f}/{i}.wav" for i, f in enumerate(folder)]),
        source="made",
    )


def test_audio2vector_has_the_books_shape_for_short_and_long_sounds(tmp_path):
    """E2.16: twenty seconds give (20, 400), where the book's pad width becomes negative."""
    random = np.random.default_rng(1)
    for seconds in (0.3, 20):
        path = tmp_path / f"{seconds}.wav"
        soundfile.write(path, random.normal(0, 0.1, int(16_000 * seconds)), 16_000)
        vector = sounds.audio2vector(path)
        assert vector.shape == (20, 400)
        assert np.isfinite(vector).all()
    assert sounds.audio2vector(path, max_pad_len=50).shape == (20, 50)


def test_audio2vector_refuses_what_is_no_sound(tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"not a sound")
    with pytest.raises(DataError, match="broken.wav"):
        sounds.audio2vector(tmp_path / "broken.wav")


def test_pairs_are_dogs_with_sub_dogs_and_dogs_with_cats():
    clips = made_clips()
    pairs = sounds.get_data(clips, np.arange(18))
    assert len(pairs.first) == 72
    assert (clips.folder[pairs.first] == "Dogs").all()
    assert (clips.folder[pairs.second[pairs.genuine]] == "Sub_dogs").all()
    assert (clips.folder[pairs.second[~pairs.genuine]] == "Cats").all()


def test_e2_14_normalised_coefficients_have_mean_zero_and_deviation_one_and_padding_stays_zero():
    clips = made_clips()
    layer = sounds.NormaliseFrames()
    layer.build((None, 20, 400))
    layer.fit(clips.features, clips.valid)
    z = layer(clips.features).numpy()
    sound = np.arange(400) < clips.valid[:, None]
    values = np.moveaxis(z, 1, -1)[sound]
    np.testing.assert_allclose(values.mean(axis=0), np.zeros(20), atol=1e-3)
    np.testing.assert_allclose(values.std(axis=0), np.ones(20), atol=1e-3)
    assert (np.moveaxis(z, 1, -1)[~sound] == 0).all()


@pytest.mark.parametrize("encoder", ["book", "ours"])
def test_e2_14_first_distances_are_not_in_the_hundreds(encoder):
    clips = made_clips()
    network = sounds.build_encoder(AudioConfig(encoder=encoder, dim=32))
    network.get_layer("normalise").fit(clips.features, clips.valid)
    z = network(clips.features, training=False).numpy()
    assert np.linalg.norm(z[0] - z[1:], axis=1).max() < 30


def test_our_encoder_ignores_padding():
    network = sounds.build_encoder(AudioConfig(dim=8, channels=8))
    x = np.zeros([1, 20, 120], np.float32)
    x[..., :60] = np.random.default_rng(2).normal(size=[1, 20, 60])
    short, longer = network(x[..., :70], training=False), network(x, training=False)
    np.testing.assert_allclose(short, longer, atol=1e-5)


def test_crops_are_stretches_of_sound_and_follow_the_seed():
    valid = np.array([100, 30, 64])
    x = np.zeros([3, 2, 120], np.float32)
    for clip, length in enumerate(valid):
        x[clip, :, :length] = 1 + np.arange(length)
    places = set()
    for seed in range(40):
        cut = sounds.crop(tf.constant(x), 64, tf.constant([0, seed])).numpy()
        assert cut.shape == (3, 2, 64)
        np.testing.assert_array_equal(np.diff(cut[0, 0]), np.ones(63))  # never past the end
        places.add(cut[0, 0, 0])
        np.testing.assert_array_equal(cut[1], x[1, :, :64])  # shorter: all of it, then padding
        np.testing.assert_array_equal(cut[2], x[2, :, :64])
    assert min(places) < 6
    assert max(places) > 32
    again = sounds.crop(tf.constant(x), 64, tf.constant([0, 39]))
    np.testing.assert_array_equal(again, cut)


def test_statistics_leave_padding_out():
    clips = made_clips()
    found = baselines.statistics(clips)
    one = clips.features[0, :, : clips.valid[0]].astype(np.float64)
    expected = np.concatenate([one.mean(axis=1), one.std(axis=1)])
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-4)


def test_e2_17_length_alone_tells_these_cats_from_dogs():
    clips = made_clips()
    train, test = np.arange(0, 18, 2), np.arange(1, 18, 2)
    classes, label = sounds.classes_of(clips)
    assert classes == ("cat", "dog")
    probability = baselines.class_probability(baselines.length(clips), label, train)
    np.testing.assert_array_equal(probability[test].argmax(axis=1), label[test])


def test_probability_of_the_same_class_by_hand():
    probability = np.array([[0.1, 0.9], [0.8, 0.2], [0.0, 1.0]])
    same = baselines.same_class(probability, np.array([0, 0]), np.array([1, 2]))
    np.testing.assert_allclose(same, [0.9 * 0.2 + 0.1 * 0.8, 0.9])


def test_folders_must_be_there():
    clips = made_clips()
    with pytest.raises(DataError, match="folder 'Cats'"):
        sounds.get_data(clips, np.flatnonzero(clips.folder != "Cats"))


class Listener:
    """A learner that notes the clips it is given: in tasks, and in pairs as its own network."""

    def __init__(self):
        self.in_tasks, self.in_pairs, self.siamese = [], [], self

    def __call__(self, inputs):
        self.in_tasks += [*inputs["support_x"][0].numpy(), *inputs["query_x"][0].numpy()]
        return tf.one_hot(tf.zeros(inputs["query_x"].shape[:2], tf.int32), 2)

    def distances_of(self, items, pairs):
        a, b = items[pairs.first], items[pairs.second]
        self.in_pairs += [*a, *b]
        return tf.reduce_mean(tf.abs(a - b), axis=[1, 2])[:, None]


@pytest.fixture
def eager():
    """No graphs: what is computed can be looked at."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("seed", [0, 4])
def test_a_published_network_is_tested_on_clips_of_the_fold_it_never_heard(
    seed, eager, monkeypatch
):
    """The folds follow the seed of the training, the tasks the seed that is asked for."""
    clips, listener = made_clips(), Listener()
    config = AudioConfig(data="synth_sounds", folds=3, seed=seed)
    monkeypatch.setattr(sounds, "load", lambda config: clips)
    train_audio.evaluate(listener, config, Conditions(episodes=40, seed=1))
    held_out = set(np.flatnonzero(folder_folds(clips.folder, 3, seed) == 0).tolist())
    assert len(held_out) == 6
    number = {clip.tobytes(): position for position, clip in enumerate(clips.features)}
    for heard in (listener.in_tasks, listener.in_pairs):
        assert {number[clip.tobytes()] for clip in heard} == held_out
