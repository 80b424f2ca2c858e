"""How much sound a file announces, counted by hand; kinds that are not decoded."""

import io

import numpy as np
import pytest
import soundfile

from datasets.readers.headers import mp3_seconds, sound_bytes, undecoded_kind


def encoded(format, **options):
    content = io.BytesIO()
    audio = np.random.default_rng(0).normal(0, 0.1, 16_000)
    soundfile.write(content, audio, 16_000, format=format, **options)
    return content.getvalue()


def measured(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    return sound_bytes(tmp_path / "x")


@pytest.mark.parametrize("lost", [0, 1, 9_000])
@pytest.mark.parametrize("format", ["WAV", "WAVEX", "RF64", "AIFF", "AU"])
def test_announced_and_present_bytes_of_sixteen_bit_sounds(tmp_path, format, lost):
    content = encoded(format, subtype="PCM_16")
    end = content.rindex(b"PEAK") if b"PEAK" in content else len(content)
    assert measured(tmp_path, content[: end - lost]) == (32_000, 32_000 - lost)


def test_little_endian_au_and_aifc(tmp_path):
    assert measured(tmp_path, encoded("AU", endian="LITTLE")) == (32_000, 32_000)
    announced, there = measured(tmp_path, encoded("AIFF", subtype="FLOAT"))
    assert announced == 64_000 <= there


@pytest.mark.parametrize("tag", [b"", b"ID3\x03\0\0\0\0\x02\x05" + b"Xing" + bytes(257)])
def test_mp3_by_its_xing_header_behind_a_tag(tmp_path, tag):
    content = encoded("MP3")
    size = len(content)
    assert measured(tmp_path, tag + content) == (size, size)
    assert measured(tmp_path, tag + content[:-500]) == (size, size - 500)
    assert measured(tmp_path, tag + content[:-20]) == (size - 20, size - 20)  # encoders differ
    assert measured(tmp_path, tag + content + b"TAG" + bytes(125)) == (size, size + 128)


@pytest.mark.parametrize(
    ("format", "place", "size"),
    [
        ("WAV", 40, b"\xff\xff\xff\xff"),
        ("WAV", 40, b"\0\xf0\xff\x7f"),
        ("AIFF", 42, b"\x7f\0\0\x08"),
        ("AU", 8, b"\xff\xff\xff\xff"),
        ("MP3", 13, b"none"),  # in the place of the word Xing
    ],
)
def test_a_length_that_is_not_known_yet_announces_nothing(tmp_path, format, place, size):
    content = encoded(format)
    assert measured(tmp_path, content) != (0, 0)
    unknown = content[:place] + size + content[place + len(size) :]
    assert measured(tmp_path, unknown) == (0, 0)


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"FORM1234AIFF", b".snd", b"ID3", b"\xff\xfb", b"RF64"]
)
def test_stumps_announce_nothing(tmp_path, content):
    assert measured(tmp_path, content) == (0, 0)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 24_000, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_the_frames_of_an_mp3_are_counted(tmp_path, rate, mode):
    audio = np.random.default_rng(0).normal(0, 0.1, [2 * rate, 2])
    soundfile.write(tmp_path / "x.mp3", audio, rate, format="MP3", bitrate_mode=mode)
    assert 2 <= mp3_seconds(tmp_path / "x.mp3") < 2 + 5 * 1152 / rate  # with the encoder's silence
    content = (tmp_path / "x.mp3").read_bytes()
    (tmp_path / "x.mp3").write_bytes(
        b"ID3\x03\0\0\0\0\x01\x02" + bytes(130) + content[: -len(content) // 2]
    )
    assert 0.8 < mp3_seconds(tmp_path / "x.mp3") < 1.2


def test_other_sounds_have_no_frames_of_mp3(tmp_path):
    for format in ("WAV", "AIFF", "FLAC", "OGG"):
        (tmp_path / "x").write_bytes(encoded(format))
        assert mp3_seconds(tmp_path / "x") == 0


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x18ftypmp42", "MPEG-4 (.m4a, .mp4)"),
        (b"\x1aE\xdf\xa3", "WebM or Matroska"),
        (b"\xff\xf9\x50\x80", "AAC"),
        (b"0&\xb2u\x8ef\xcf\x11", "Windows Media"),
        (b"#!AMR\n", "AMR"),
        (b"\xff\xfb\x90\x00", ""),
        (b"RIFF", ""),
        (b"", ""),
    ],
)
def test_kinds_that_are_not_decoded(tmp_path, head, kind):
    (tmp_path / "x").write_bytes(head)
    assert undecoded_kind(tmp_path / "x") == kind
