"""Sounds: no aliases, MFCC as documented, fixed length, statistics of training clips only."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.errors import DataError, DataNotice
from datasets.readers import mfcc as module
from datasets.readers.mfcc import Normaliser, fit_length, load_audio, mfcc, read_sound
from datasets.sets import sources

RATE = 16_000
SMALL = {"n_mfcc": 13, "n_fft": 512, "hop_length": 256, "n_mels": 32}


def encoded(audio, rate=RATE, format="WAV", **options):
    content = io.BytesIO()
    soundfile.write(content, audio, rate, format=format, **options)
    return content.getvalue()


def wav(audio, rate=RATE, **options):
    return encoded(audio, rate, **options)


@pytest.fixture(scope="module")
def sound_file(tmp_path_factory):
    """Writes bytes to one and the same file and returns its path."""
    path = tmp_path_factory.mktemp("sounds") / "bark.wav"

    def write(content):
        path.write_bytes(content)
        return path

    return write


def noise(seconds, rate=RATE, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, int(seconds * rate)).astype(np.float32)


def tone(frequency, seconds, rate):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


def power_near(audio, rate, frequency, width=50):
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
    frequencies = np.fft.rfftfreq(len(audio), 1 / rate)
    return spectrum[np.abs(frequencies - frequency) < width].sum()


# Loading


def test_mono_float32_at_the_asked_rate(sound_file):
    left = tone(440, 1.0, 44_100)
    audio = load_audio(sound_file(wav(np.stack([left, 0 * left], axis=1), 44_100)), RATE)
    assert audio.dtype == np.float32
    assert audio.shape == (RATE,)
    np.testing.assert_allclose(audio[500:-500], tone(440, 1.0, RATE)[500:-500] / 2, atol=1e-3)


def test_e2_15_resampling_leaves_no_alias(sound_file):
    audio = tone(5_000, 2.0, 22_050)
    every_third = audio[::3]
    resampled = load_audio(sound_file(wav(audio, 22_050)), 7_350)
    alias = 7_350 - 5_000
    # The book's way moves the whole tone to 2.35 kHz; ours leaves less than a millionth of it.
    assert power_near(every_third, 7_350, alias) > 0.9 * power_near(every_third, 7_350, 0, 4_000)
    assert power_near(resampled, 7_350, alias) < 1e-6 * power_near(every_third, 7_350, alias)


def lying_flac():
    """A FLAC whose header announces 2**36 - 1 samples: 256 GB."""
    content = io.BytesIO()
    soundfile.write(content, noise(0.5), RATE, format="FLAC")
    flac = bytearray(content.getvalue())
    flac[21] |= 0x0F
    flac[22:26] = b"\xff" * 4
    return bytes(flac)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "cannot be read as a sound"),
        (b"<html>not found</html>", "cannot be read as a sound: Format not recognised."),
        (wav(noise(0.1))[:30], "cannot be read as a sound"),
        (wav(noise(0.1))[:44], "holds no samples"),
        (wav(noise(0.1)[:0]), "holds no samples"),
        (wav(np.array([0.1, np.nan]), subtype="FLOAT"), "not finite"),
        (wav(np.array([0.1, np.inf]), subtype="FLOAT"), "not finite"),
        (wav(np.array([0.1, 1e30]), subtype="FLOAT"), "far above full scale; expected -1 to 1"),
        (wav(noise(0.1), rate=10), "sample rate 10 Hz; 1,000 to 768,000 are read"),
        (wav(noise(0.1), rate=2**31 - 1), "sample rate 2,147,483,647 Hz"),
        (wav(np.zeros(601_000), rate=1_000), "601 s of 1 channels at 1,000 Hz; at most 600 s"),
        (lying_flac(), "at most 600 s"),
    ],
)
def test_a_bad_sound_is_told_in_one_sentence(sound_file, content, told):
    path = sound_file(content)
    with pytest.raises(DataError) as error:
        load_audio(path, RATE)
    assert str(error.value).startswith(str(path))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_sound_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.wav is missing"):
        load_audio(tmp_path / "none.wav", RATE)


def test_a_name_that_is_too_long_is_one_sentence():
    with pytest.raises(DataError, match="x cannot be read: File name too long"):
        load_audio("x" * 300, RATE)


def test_a_headerless_format_is_told(tmp_path):
    (tmp_path / "bark.raw").write_bytes(bytes(100))
    with pytest.raises(DataError, match=r"bark\.raw cannot be read as a sound: no known format"):
        load_audio(tmp_path / "bark.raw", RATE)


# MFCC


def test_mfcc_equals_its_definition_written_with_loops():
    from librosa.filters import mel

    audio = noise(0.2)
    found = mfcc(audio, RATE, **SMALL)

    padded = np.concatenate([np.zeros(256), audio, np.zeros(256)])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    bands = mel(sr=RATE, n_fft=512, n_mels=32, fmin=0, fmax=RATE / 2, norm="slaney")
    frames = 1 + len(audio) // 256
    decibels = np.empty((32, frames))
    for frame in range(frames):
        window = padded[frame * 256 : frame * 256 + 512] * hann
        power = np.abs(np.fft.rfft(window)) ** 2
        decibels[:, frame] = 10 * np.log10(np.maximum(bands @ power, 1e-10))
    decibels = np.maximum(decibels, decibels.max() - 80)
    expected = np.empty((13, frames))
    for k in range(13):
        scale = np.sqrt((1 if k == 0 else 2) / 32)
        cosine = np.cos(np.pi * k * (2 * np.arange(32) + 1) / 64)
        expected[k] = scale * cosine @ decibels
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.parametrize("samples", [1, 100, 511, 512, 513, 5_000])
def test_number_of_frames(samples):
    features = mfcc(noise(1)[:samples], RATE, **SMALL)
    assert features.shape == (13, 1 + max(samples, 512) // 256)
    assert np.isfinite(features).all()


def test_silence_has_finite_features():
    assert np.isfinite(mfcc(np.zeros(2_000, np.float32), RATE, **SMALL)).all()


def test_more_coefficients_than_bands_are_refused():
    with pytest.raises(ValueError, match="40 coefficients need at least as many mel bands, not 32"):
        mfcc(noise(0.1), RATE, **(SMALL | {"n_mfcc": 40}))


@pytest.mark.real_data
@pytest.mark.skipif(not sources.find("cats_dogs"), reason="needs cats_dogs: set METAZOO_DATA")
def test_e2_21_the_printed_corner_needs_reflect_padding():
    # As the book does it: 22,050 Hz, every third sample, and the rate not corrected.
    audio = load_audio(sources.find("cats_dogs") / "Dogs/dog_barking_0.wav", 22_050)[::3]
    settings = {"n_mfcc": 20, "n_fft": 2048, "hop_length": 512, "n_mels": 128}
    printed = [
        [-297.549, -288.376, -314.920],
        [23.059, 9.559, 37.217],
        [-122.063, -115.026, -108.187],
    ]
    reflect = mfcc(audio, 22_050, **settings, pad_mode="reflect")
    np.testing.assert_allclose(reflect[:3, :3], printed, atol=0.5)
    constant = mfcc(audio, 22_050, **settings)
    assert abs(constant[0, 0] - printed[0][0]) > 20


# Fixed length


def test_fit_length_crops_the_end():
    features = np.arange(12.0).reshape(2, 6)
    fitted, valid = fit_length(features, 4)
    np.testing.assert_array_equal(fitted, features[:, :4])
    assert valid == 4


def test_fit_length_pads_the_end_with_zeros():
    features = np.arange(1.0, 7.0).reshape(2, 3)
    fitted, valid = fit_length(features, 5)
    np.testing.assert_array_equal(fitted, [[1, 2, 3, 0, 0], [4, 5, 6, 0, 0]])
    assert valid == 3


def test_e2_16_twenty_seconds_of_noise_have_the_stated_shape(sound_file):
    features, valid = read_sound(sound_file(wav(noise(20))))
    assert features.shape == (20, 400)
    assert features.dtype == np.float32
    assert valid == 400


def test_a_short_sound_has_the_same_shape(sound_file):
    features, valid = read_sound(sound_file(wav(noise(1))))
    assert features.shape == (20, 400)
    assert valid == 1 + RATE // 512
    assert not features[:, valid:].any()


# Normalisation


def clips(seed=0):
    """Three clips of 5, 8 and 2 frames; the padding is garbage so that using it shows."""
    generator = np.random.default_rng(seed)
    features = generator.normal([[[-300.0], [5.0]]], [[[80.0], [3.0]]], (3, 2, 8))
    valid = np.array([5, 8, 2])
    for clip, n in zip(features, valid, strict=True):
        clip[:, n:] = 1e6
    return features.astype(np.float32), valid


def test_training_frames_get_mean_zero_and_deviation_one_per_coefficient():
    features, valid = clips()
    result = Normaliser.fit(features, valid)(features, valid)
    frames = np.concatenate([result[i, :, :n] for i, n in enumerate(valid)], axis=1)
    assert result.dtype == np.float32
    np.testing.assert_allclose(frames.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(frames.std(axis=1), 1, atol=1e-5)


def test_fit_equals_a_loop_over_valid_frames():
    features, valid = clips()
    normaliser = Normaliser.fit(features, valid)
    for c in range(2):
        values = [float(features[i, c, t]) for i in range(3) for t in range(valid[i])]
        assert normaliser.mean[c] == pytest.approx(sum(values) / 15)
        variance = sum((value - normaliser.mean[c]) ** 2 for value in values) / 15
        assert normaliser.deviation[c] == pytest.approx(variance**0.5)


def test_padding_becomes_zero():
    features, valid = clips()
    result = Normaliser.fit(features, valid)(features, valid)
    for i, n in enumerate(valid):
        assert not result[i, :, n:].any()


def test_other_clips_are_measured_with_the_training_statistics():
    features, valid = clips()
    normaliser = Normaliser.fit(features, valid)
    other, _ = clips(seed=1)
    expected = (other[1, :, 3] - normaliser.mean) / np.array(normaliser.deviation)
    # The same alone as among other clips: nothing is measured when it is applied.
    np.testing.assert_allclose(normaliser(other, valid)[1, :, 3], expected, rtol=1e-5)
    np.testing.assert_allclose(normaliser(other[1:2], valid[1:2])[0, :, 3], expected, rtol=1e-5)


def test_a_constant_coefficient_is_not_divided_by_zero():
    features, valid = np.full((2, 3, 4), 7.0, np.float32), np.array([4, 4])
    assert not Normaliser.fit(features, valid)(features, valid).any()


# Fuzz


def array_or_data_error(path):
    try:
        audio = load_audio(path, 8_000)
    except DataError as error:
        assert str(error)
    else:
        assert audio.ndim == 1
        assert audio.size > 0
        assert audio.dtype == np.float32
        assert np.isfinite(audio).all()


VALID = [
    wav(noise(0.01)),
    wav(noise(0.01), subtype="FLOAT"),
    wav(np.stack([noise(0.01)] * 2, axis=1), 44_100, subtype="PCM_24"),
    wav(noise(0.01), subtype="IMA_ADPCM"),
]


@pytest.mark.parametrize("content", VALID)
def test_the_files_that_are_mutated_are_valid(sound_file, content):
    assert load_audio(sound_file(content), 8_000).size > 0


@settings(max_examples=400, deadline=5_000)
@given(st.data())
def test_fuzz_mutated_wav_files(sound_file, data):
    content = bytearray(data.draw(st.sampled_from(VALID)))
    for _ in range(data.draw(st.integers(1, 4))):
        # Mostly in the header: its fields decide what is allocated.
        start = data.draw(st.integers(0, 60) | st.integers(0, len(content)))
        length = data.draw(st.integers(0, 4))
        piece = st.binary(max_size=4) | st.sampled_from(
            [b"\xff" * 4, b"\0" * 4, b"\xff\xff\xff\x7f"]
        )
        content[start : start + length] = data.draw(piece)
    cut = data.draw(st.none() | st.integers(0, len(content)))
    array_or_data_error(sound_file(bytes(content[:cut])))


@settings(deadline=5_000)
@given(
    st.binary(max_size=100) | st.binary(max_size=100).map(lambda tail: wav(noise(0))[:36] + tail)
)
def test_fuzz_arbitrary_bytes(sound_file, content):
    array_or_data_error(sound_file(content))


# What is lost is told.


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (wav(np.zeros(RATE)), "is silent"),
        (wav(noise(1)[:1]), "lasts 0.0625 ms; that is hardly a sound"),
        (wav(noise(1))[:10_000], "is cut: its header announces 32,000 bytes of sound, 9,956 are"),
        (wav(np.full(RATE, 0.25)), "is constant: all its samples are 0.25, which cannot be heard"),
        (wav(np.outer(noise(1), [0, 1])), "has 2 channels, 1 of them silent; the mean of all"),
        (wav(np.outer(noise(1), [1, -1])), "channels that cancel each other; the first one is"),
        (wav(noise(15)), "lasts 15.0 s; only its first 12.8 s are used"),
    ],
)
def test_what_is_missing_in_a_sound_is_told(sound_file, content, told):
    with pytest.warns(DataNotice, match=told):
        features, _ = read_sound(sound_file(content))
    assert np.isfinite(features).all()


def test_channels_that_cancel_leave_the_first_one(sound_file):
    audio = noise(0.5)
    found = load_audio(sound_file(wav(np.outer(audio, [1, -1]), subtype="FLOAT")), RATE)
    np.testing.assert_allclose(found, audio, atol=1e-6)


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32", "NMS_ADPCM_16", "ULAW", "IMA_ADPCM"])
def test_packed_sounds_that_the_decoder_knows_are_read(sound_file, subtype, recwarn):
    kind = "AU" if subtype == "G721_32" else "WAV"
    if not soundfile.check_format(kind, subtype):
        pytest.skip(f"this libsndfile cannot write {subtype}")
    content = io.BytesIO()
    soundfile.write(content, tone(440, 0.5, RATE), RATE, format=kind, subtype=subtype)
    audio = load_audio(sound_file(content.getvalue()), RATE)
    assert power_near(audio, RATE, 440) > 0.5 * np.sum(np.abs(np.fft.rfft(audio)) ** 2) / 4
    assert not recwarn.list


def with_note(text, length):
    """A WAV file with a note of some length before its data, and where the data begin."""
    content = wav(noise(1))
    start = content.index(b"data")
    note = b"LIST" + length.to_bytes(4, "little") + text.ljust(length, b"x")
    return content[:start] + note + content[start:], start + len(note) + 8


def test_a_note_that_names_the_data_is_not_taken_for_them(sound_file, recwarn):
    content, _ = with_note(b"INFOdata\xff\xff\xff\x7f", 20)
    read_sound(sound_file(content))
    assert not recwarn.list


def test_a_sound_cut_after_a_long_note_is_told(sound_file):
    content, start = with_note(b"INFO", 8_000)
    with pytest.warns(DataNotice, match="announces 32,000 bytes of sound, 9,000 are there"):
        read_sound(sound_file(content[: start + 9_000]))


def test_a_silent_channel_is_told_once_and_a_silent_sound_is_only_silent(sound_file):
    with pytest.warns(DataNotice) as told:
        read_sound(sound_file(wav(np.zeros([RATE, 2]))))
    assert [str(notice.message).split(" is ")[1] for notice in told] == ["silent."]


@pytest.mark.parametrize("format", ["MP3", "AIFF", "AU", "RF64", "WAVEX"])
def test_a_cut_sound_is_told_and_a_whole_one_is_not(sound_file, format, recwarn):
    content = encoded(noise(2), format=format)
    read_sound(sound_file(content))
    assert not recwarn.list
    with pytest.warns(DataNotice, match=r"is cut: its header announces [\d,]+ bytes of sound"):
        read_sound(sound_file(content[: len(content) // 2]))


def test_an_mp3_that_is_decoded_in_part_is_told(sound_file, recwarn):
    fading = np.concatenate([noise(6, 44_100), 1e-4 * noise(6, 44_100)])
    content = encoded(fading, 44_100, format="MP3", bitrate_mode="VARIABLE")
    second = content.index(content[:2], 4)  # where the second frame begins
    read_sound(sound_file(content))
    assert not recwarn.list
    with pytest.warns(DataNotice, match=r"lasts 12\.\d s, but only its first \d\.\d s are decoded"):
        read_sound(sound_file(content[second:]))  # without the one that says how long it is


def python(code: str) -> subprocess.CompletedProcess:
    """Another process, since what native code prints is not Python's to catch."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    project = Path(__file__).parents[2]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)


def test_the_decoder_prints_nothing_and_others_still_can(sound_file):
    path = sound_file(encoded(noise(2), format="MP3")[:5_000])
    done = python(
        "import os; from datasets.readers.mfcc import load_audio;"
        f"print(len(load_audio({str(path)!r}, 16_000)) > 0); os.write(2, b'mine')"
    )
    assert (done.stdout, done.stderr) == ("True\n", "mine")


def test_without_a_standard_error_sounds_are_read_all_the_same(sound_file):
    path = sound_file(wav(noise(0.1)))
    done = python(
        "import os; os.close(2); from datasets.readers.mfcc import load_audio;"
        f"print(len(load_audio({str(path)!r}, 16_000)))"
    )
    assert done.stdout == "1600\n"


def test_a_stream_is_read_in_pieces_and_no_further_than_the_cap(sound_file, monkeypatch):
    path = sound_file(encoded(noise(1), subtype="GSM610"))  # one of those that cannot be sought in
    monkeypatch.setattr(module, "PIECE", 1_000)
    assert len(load_audio(path, RATE)) == RATE
    monkeypatch.setattr(module, "MAX_SAMPLES", 4_500)
    with soundfile.SoundFile(path) as sound:
        assert not sound.seekable()
        with pytest.raises(DataError, match=r"bark\.wav has more than 4,500 samples, so cut it"):
            module._samples(sound)
        assert len(sound.read(RATE)) == RATE - 5_000


KINDS = {
    "x.m4a": (b"\0\0\0\x20ftypM4A ", "MPEG-4"),
    "x.webm": (b"\x1aE\xdf\xa3\x9fB\x86\x81", "WebM"),
    "x.aac": (b"\xff\xf1\x50\x80", "AAC"),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_of_sound_that_is_not_decoded_is_named_with_a_way_out(tmp_path, name):
    head, kind = KINDS[name]
    (tmp_path / name).write_bytes(head + bytes(500))
    with pytest.raises(DataError, match=f"of the kind {kind}.* not part of this project") as error:
        load_audio(tmp_path / name, RATE)
    assert str(error.value).endswith(f"convert it to WAV, as `ffmpeg -i {name} x.wav` does.")


def test_the_content_decides_and_not_the_ending(tmp_path):
    (tmp_path / "x.mp4").write_bytes(wav(noise(1)))
    assert len(load_audio(tmp_path / "x.mp4", RATE)) == RATE
