"""Synthesised barks and meows: the recordings' layout, reproducible, told apart by sound only."""

import numpy as np
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import datasets
from datasets.sets import sounds, sources
from datasets.standins import synth_sounds


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def clips(cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METAZOO_CACHE", str(cache))
        return synth_sounds.load_clips(offline=True)


def test_names_are_those_of_the_recordings(clips):
    assert clips.file.tolist() == list(sources.CLIP_NAMES)
    assert clips.folder.tolist() == ["Cats"] * 14 + ["Dogs"] * 14 + ["Sub_dogs"] * 14
    assert clips.generated


def test_files_are_coded_as_the_recordings_and_not_silent(clips):
    for name in clips.file:
        sound = soundfile.info(f"{clips.source}/{name}")
        assert (sound.format, sound.subtype) == ("WAV", "PCM_16")
        assert (sound.samplerate, sound.channels) == (16_000, 1)
        samples, _ = soundfile.read(f"{clips.source}/{name}")
        assert 0.05 < np.abs(samples).max() < 0.95, name  # neither lost nor clipped


@pytest.mark.real_data
@pytest.mark.skipif(not sources.find("cats_dogs"), reason="needs cats_dogs: set METAZOO_DATA")
def test_the_recordings_are_coded_so():
    sound = soundfile.info(sources.find("cats_dogs") / "Cats/cat_1.wav")
    assert (sound.format, sound.subtype) == ("WAV", "PCM_16")
    assert (sound.samplerate, sound.channels) == (16_000, 1)


def test_load_gives_the_classes_cat_and_dog(clips, cache, monkeypatch):
    monkeypatch.setenv("METAZOO_CACHE", str(cache))
    data = datasets.load("synth_sounds", offline=True)
    assert data.name == "synth_sounds"
    assert data.generated
    assert data.class_names == ("cat", "dog")
    np.testing.assert_array_equal(data.items, clips.features)


def test_same_seed_same_bytes_and_another_seed_other_sounds(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "CLIP_NAMES", ["Cats/cat_1.wav", "Dogs/dog_barking_0.wav"])
    for name, seed in (("first", 5), ("again", 5), ("other", 6)):
        synth_sounds.write(tmp_path / name, seed)
    for name in sources.CLIP_NAMES:
        first, again, other = (
            (tmp_path / run / "audio_cats_dogs" / name).read_bytes()
            for run in ("first", "again", "other")
        )
        assert first == again
        assert first != other


def test_harmonics_of_a_call_follow_its_pitch():
    """Without breath and glide all energy of a call is at multiples of the pitch."""
    still = synth_sounds.Species(
        seconds=(1.0, 1.0),
        pause=(1.0, 1.0),
        pitch=(400.0, 400.0),
        glide=(0.0, 0.0),
        breath=(0.0, 0.0),
        attack=(0.1, 0.1),
        formants=((500.0, 500.0), (1500.0, 1500.0), (2500.0, 2500.0)),
        opening=(0.0, 0.0),
    )
    formants = np.array([500.0, 1500.0, 2500.0])
    sound = synth_sounds.call(still, 400.0, formants, 0.0, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(sound)) ** 2  # [bin], 1 Hz each
    frequency = np.arange(len(power))
    # The pitch drifts by a few percent, so a tenth of it to either side counts as on it.
    near = np.abs(frequency - 400 * np.round(frequency / 400)) < 400 * 0.1 * frequency / 400
    low = frequency < 1900
    assert power[near & low].sum() > 0.95 * power[low].sum()
    assert frequency[power.argmax()] == pytest.approx(400, rel=0.1)  # nearest to a formant


def test_resonance_peaks_at_the_formants():
    frequency = np.arange(8000.0)
    formants = np.array([[600.0], [1800.0], [3000.0]])
    amplitude = synth_sounds.resonance(frequency, formants)
    peaks = 1 + np.flatnonzero(np.diff(np.sign(np.diff(amplitude))) < 0)
    np.testing.assert_allclose(peaks, [600, 1800, 3000], atol=15)


def test_lengths_cover_one_to_six_seconds_and_do_not_tell_the_class(clips):
    cat = clips.class_name == "cat"
    seconds = np.array([soundfile.info(f"{clips.source}/{name}").duration for name in clips.file])
    assert 1 <= seconds.min() < 1.5
    assert 5.5 < seconds.max() <= 6
    assert abs(roc_auc_score(cat, seconds) - 0.5) < 0.1


def test_mfcc_statistics_tell_the_class_well_but_not_perfectly(clips):
    auc = statistics_auc(clips)
    assert 0.85 < auc < 0.99


@pytest.mark.real_data
@pytest.mark.skipif(not sources.find("cats_dogs"), reason="needs cats_dogs: set METAZOO_DATA")
def test_the_recordings_are_about_as_hard(clips):
    assert abs(statistics_auc(clips) - statistics_auc(sounds.load_clips(offline=True))) < 0.08


def statistics_auc(clips):
    """Cross-validated AUC of logistic regression on mean and deviation of the coefficients."""
    statistics = np.array(
        [
            np.concatenate([sound.mean(axis=1), sound.std(axis=1)])
            for sound in (f[:, :n] for f, n in zip(clips.features, clips.valid, strict=True))
        ]
    )  # [clip, 2 * coefficient]
    cat = clips.class_name == "cat"
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = StratifiedKFold(7, shuffle=True, random_state=0)
    chance = cross_val_predict(model, statistics, cat, cv=folds, method="predict_proba")[:, 1]
    return roc_auc_score(cat, chance)
