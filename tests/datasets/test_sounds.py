"""Recordings: numeric order by folder, valid lengths, classes, broken sets refused."""

import numpy as np
import pytest
import soundfile

from datasets.errors import DataError
from datasets.readers.mfcc import fit_length, load_audio, mfcc
from datasets.sets import sounds, sources

RATE = 4_000
OPTIONS = {
    "sample_rate": RATE,
    "frames": 12,
    "n_mfcc": 6,
    "n_fft": 256,
    "hop_length": 128,
    "n_mels": 16,
}
SECONDS = {"Cats": 0.2, "Dogs": 0.3, "Sub_dogs": 0.5}


def write_clips(folder, clips=3):
    """File 9 and following, to see numeric order; the pitch rises with the number."""
    for name, seconds in SECONDS.items():
        (folder / name).mkdir(parents=True)
        for number in range(9, 9 + clips):
            time = np.arange(int(seconds * RATE)) / RATE
            audio = 0.3 * np.sin(2 * np.pi * 50 * number * time)
            soundfile.write(folder / name / f"clip_{number}.wav", audio, RATE)
    return folder


def test_clips_are_in_the_order_of_folders_and_numbers(tmp_path):
    clips = sounds.read_clips(write_clips(tmp_path), **OPTIONS)
    assert len(clips) == 9
    assert clips.features.shape == (9, 6, 12)
    assert clips.features.dtype == np.float32
    assert clips.folder.tolist() == ["Cats"] * 3 + ["Dogs"] * 3 + ["Sub_dogs"] * 3
    assert clips.class_name.tolist() == ["cat"] * 3 + ["dog"] * 6
    assert clips.file[:3].tolist() == [f"Cats/clip_{number}.wav" for number in (9, 10, 11)]
    assert clips.source == str(tmp_path)
    assert not clips.generated


def test_each_clip_has_the_features_of_its_file(tmp_path):
    clips = sounds.read_clips(write_clips(tmp_path), **OPTIONS)
    settings = {k: v for k, v in OPTIONS.items() if k not in ("frames", "sample_rate")}
    for i, file in enumerate(clips.file):
        features, valid = fit_length(mfcc(load_audio(tmp_path / file, RATE), RATE, **settings), 12)
        np.testing.assert_array_equal(clips.features[i], features)
        assert clips.valid[i] == valid


def test_valid_frames_count_the_sound_and_not_the_padding(tmp_path):
    clips = sounds.read_clips(write_clips(tmp_path), **OPTIONS)
    lengths = {folder: 1 + int(seconds * RATE) // 128 for folder, seconds in SECONDS.items()}
    assert lengths == {"Cats": 7, "Dogs": 10, "Sub_dogs": 16}
    assert clips.valid.tolist() == [7] * 3 + [10] * 3 + [12] * 3  # the longest are cropped to 12
    for features, valid in zip(clips.features, clips.valid, strict=True):
        assert features[:, :valid].any(axis=0).all()
        assert not features[:, valid:].any()


def test_data_set_by_class(tmp_path):
    clips = sounds.read_clips(write_clips(tmp_path), generated=True, **OPTIONS)
    data = sounds.to_dataset("synth_sounds", clips)
    assert data.name == "synth_sounds"
    assert data.generated
    assert data.class_names == ("cat", "dog")
    assert data.item_class.tolist() == [0] * 3 + [1] * 6
    assert data.classes("all").tolist() == [0, 1]
    np.testing.assert_array_equal(data.items, clips.features)


def test_a_folder_without_recordings_is_named(tmp_path):
    folder = write_clips(tmp_path)
    for path in (folder / "Dogs").iterdir():
        path.rename(path.with_suffix(".txt"))
    (folder / "Dogs" / "._clip_9.wav").write_bytes(b"hidden")
    with pytest.raises(DataError, match=r"Dogs holds no \.wav files; expected recordings"):
        sounds.read_clips(folder, **OPTIONS)


def test_a_broken_recording_is_named(tmp_path):
    folder = write_clips(tmp_path)
    (folder / "Dogs" / "clip_10.wav").write_bytes(b"RIFF but no sound")
    with pytest.raises(DataError, match=r"Dogs.clip_10\.wav cannot be read as a sound"):
        sounds.read_clips(folder, **OPTIONS)


def test_an_incomplete_real_set_is_refused(tmp_path):
    write_clips(tmp_path / "audio_cats_dogs", clips=13)
    with pytest.raises(DataError, match=r"'Dogs': 13.* expected 14 in each folder"):
        sounds.load_clips(root=tmp_path, offline=True, **OPTIONS)


@pytest.mark.real_data
@pytest.mark.skipif(not sources.find("cats_dogs"), reason="needs cats_dogs: set METAZOO_DATA")
def test_cats_and_dogs():
    data = sounds.load(offline=True)
    assert data.items.shape == (42, 20, 400)
    assert data.class_names == ("cat", "dog")
    assert np.bincount(data.item_class).tolist() == [14, 28]

    clips = sounds.load_clips(offline=True)
    assert clips.file[[0, 9, 14, 27, 28, 41]].tolist() == [
        *("Cats/cat_1.wav", "Cats/cat_10.wav"),
        *("Dogs/dog_barking_0.wav", "Dogs/dog_barking_13.wav"),
        *("Sub_dogs/dog_barking_70.wav", "Sub_dogs/dog_barking_83.wav"),
    ]
    assert clips.valid.min() == 31  # 0.98 s
    assert clips.valid.max() == 400
    assert (clips.valid == 400).sum() == 1  # only the 17.2 s clip is cropped
