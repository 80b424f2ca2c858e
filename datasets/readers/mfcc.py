"""Sound files to MFCC (mel-frequency cepstral coefficients) of a fixed size.

    file --load_audio--> [sample] --mfcc--> [coefficient, frame] --fit_length--> fixed frames

librosa does the signal processing and is imported when first needed: it takes seconds.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.console import without_stderr
from datasets.errors import DataError, tell
from datasets.readers.files import regular_file
from datasets.readers.headers import mp3_seconds, sound_bytes, undecoded_kind

MAX_BYTES = 2**29
MAX_SAMPLES = 2**27  # over all channels; a header can announce any number
MAX_SECONDS = 600
RATES = (1_000, 768_000)  # Hz; a header that says otherwise is broken
PIECE = 2**16  # samples read at a time where their number is not known
SILENCE, SHORTEST = 1e-5, 0.01  # of full scale (below the last bit of 16), seconds
MAX_AMPLITUDE = 1e6  # full scale is 1; beyond this, powers leave the range of float32


def load_audio(path: str | Path, sample_rate: int) -> np.ndarray:
    """Read a sound in a format that libsndfile knows (WAV, FLAC, OGG, MP3, AIFF...).

    Args:
        path: file to read.
        sample_rate: rate of the result in Hz. The sound is low-passed and resampled to it; leaving
            out samples, as the book does, folds high tones onto low ones.

    Returns:
        ``[sample]`` float32, mono (mean of the channels), full scale 1.

    Raises:
        DataError: the file is missing, not a sound, empty, longer than MAX_SECONDS, or has
            samples that are not finite.
    """
    import librosa
    import soundfile

    try:
        regular_file(path, MAX_BYTES)
        # The decoder of MP3 writes to standard error itself; what matters in it is told below.
        with without_stderr(), soundfile.SoundFile(path) as sound:
            _check_header(sound, path)
            channels, rate = _samples(sound), sound.samplerate  # [sample, channel]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (TypeError, soundfile.SoundFileError) as error:
        raise DataError(_why_undecoded(path, error)) from error
    if channels.size == 0:
        raise DataError(f"{path} holds no samples; expected a sound.")
    if not np.abs(channels).max() <= MAX_AMPLITUDE:  # written so that NaN fails as well
        raise DataError(
            f"{path} has samples that are not finite or far above full scale; expected -1 to 1."
        )
    audio = _mono(path, channels)  # [sample]
    _tell_what_is_missing(path, audio, rate)
    return librosa.resample(audio, orig_sr=rate, target_sr=sample_rate, res_type="soxr_hq")


def _why_undecoded(path, error: Exception) -> str:
    """One sentence; of a kind of sound that needs other decoders, what to do."""
    if kind := undecoded_kind(path):
        name = Path(path).stem
        return (
            f"{path} is a sound of the kind {kind}, which needs a decoder that is not part of this "
            f"project; convert it to WAV, as `ffmpeg -i {Path(path).name} {name}.wav` does."
        )
    # TypeError: a name such as x.raw, for which soundfile wants to be told the format.
    reason = getattr(error, "error_string", "") or "no known format"
    return f"{path} cannot be read as a sound: {reason.rstrip('.')}."


def _samples(sound) -> np.ndarray:
    """All samples [sample, channel]; in pieces where nobody knows how many there are."""
    if sound.seekable():
        return sound.read(dtype="float32", always_2d=True)
    pieces = []
    while len(piece := sound.read(PIECE, dtype="float32", always_2d=True)):
        pieces.append(piece)
        if sum(map(len, pieces)) * sound.channels > MAX_SAMPLES:
            raise DataError(f"{sound.name} has more than {MAX_SAMPLES:,} samples, so cut it.")
    return np.concatenate(pieces) if pieces else np.zeros([0, sound.channels], np.float32)


def _mono(path, channels: np.ndarray) -> np.ndarray:
    """Mean of the channels; the first one where they cancel each other: [sample]."""
    import librosa

    audio = librosa.to_mono(channels.T)
    loudest = np.abs(channels).max(axis=0)  # [channel]
    if np.abs(audio).max() < 1e-3 * loudest.max():
        tell(f"{path} has channels that cancel each other; the first one is used alone.")
        return np.ascontiguousarray(channels[:, 0])
    silent = int((loudest <= SILENCE).sum())
    if 0 < silent < len(loudest):
        tell(
            f"{path} has {len(loudest)} channels, {silent} of them silent; the mean of all is "
            "used, which is less loud."
        )
    return audio


def _tell_what_is_missing(path, audio: np.ndarray, rate: int) -> None:
    """Silence, next to nothing, or a file that was cut in the middle of its data."""
    if not np.abs(audio).max() > SILENCE:
        tell(f"{path} is silent.")
    elif len(audio) < SHORTEST * rate:
        tell(f"{path} lasts {1000 * len(audio) / rate:.3g} ms; that is hardly a sound.")
    elif np.ptp(audio) <= SILENCE:
        tell(f"{path} is constant: all its samples are {audio[0]:.3g}, which cannot be heard.")
    announced, there = sound_bytes(path)
    if there < announced:
        tell(
            f"{path} is cut: its header announces {announced:,} bytes of sound, {there:,} are "
            "there."
        )
    lasts, seconds = len(audio) / rate, mp3_seconds(path)
    if seconds - lasts > max(0.25, 0.05 * seconds):  # encoders add some frames of silence
        tell(
            f"{path} lasts {seconds:.1f} s, but only its first {lasts:.1f} s are decoded: its bit "
            "rate varies and its header does not say how long it is; convert it to WAV."
        )


def mfcc(
    audio: np.ndarray,
    sample_rate: int,
    *,
    n_mfcc: int,
    n_fft: int,
    hop_length: int,
    n_mels: int,
    pad_mode: str = "constant",
) -> np.ndarray:
    """Mel-frequency cepstral coefficients; the first one is the loudness.

    Power spectrum of Hann windows, ``n_mels`` Slaney mel bands from 0 Hz to half the sample rate,
    decibels (at most 80 below the clip's loudest value), orthonormal DCT-II.

    Args:
        audio: ``[sample]``; shorter than one window, it is filled up with silence.
        sample_rate: in Hz; it places the mel bands, so it has to be the audio's true rate.
        n_mfcc: number of coefficients, at most ``n_mels``.
        n_fft: window in samples.
        hop_length: samples from one window to the next.
        n_mels: number of mel bands.
        pad_mode: what the first and last window see beyond the ends, "constant" (silence) or
            "reflect" (librosa's default when the book was written).

    Returns:
        ``[coefficient, frame]`` float32 with ``1 + samples // hop_length`` frames; frame t is
        centred on sample ``t * hop_length``.
    """
    import librosa

    if n_mfcc > n_mels:
        raise ValueError(f"{n_mfcc} coefficients need at least as many mel bands, not {n_mels}")
    audio = librosa.util.fix_length(audio, size=max(len(audio), n_fft))
    return librosa.feature.mfcc(
        y=audio,
        sr=sample_rate,
        n_mfcc=n_mfcc,
        dct_type=2,
        norm="ortho",
        n_fft=n_fft,
        hop_length=hop_length,
        window="hann",
        center=True,
        pad_mode=pad_mode,
        n_mels=n_mels,
        fmin=0.0,
        fmax=sample_rate / 2,
        htk=False,
    )  # [coefficient, frame]


def fit_length(features: np.ndarray, frames: int) -> tuple[np.ndarray, int]:
    """The first ``frames`` frames, zero-padded at the end when there are fewer.

    Args:
        features: ``[coefficient, frame]``.
        frames: wanted number of frames.

    Returns:
        ``[coefficient, frames]``, and how many of its frames are sound rather than padding.
    """
    kept = features[:, :frames]
    valid = kept.shape[1]
    return np.pad(kept, ((0, 0), (0, frames - valid))), valid


def read_sound(
    path: str | Path,
    *,
    frames: int = 400,
    sample_rate: int = 16_000,
    n_mfcc: int = 20,
    n_fft: int = 1024,
    hop_length: int = 512,
    n_mels: int = 64,
) -> tuple[np.ndarray, int]:
    """All three steps; the defaults here are those of every sound loader of this package.

    At 16 kHz they mean windows of 64 ms, a frame every 32 ms, and at most 12.8 s.

    Returns:
        ``[coefficient, frames]`` float32, and the number of frames that are not padding.
    """
    audio = load_audio(path, sample_rate)
    features = mfcc(
        audio, sample_rate, n_mfcc=n_mfcc, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels
    )
    if len(audio) > frames * hop_length:
        seconds, longest = len(audio) / sample_rate, frames * hop_length / sample_rate
        tell(f"{path} lasts {seconds:.1f} s; only its first {longest:.1f} s are used.")
    return fit_length(features, frames)


@dataclass(frozen=True)
class Normaliser:
    """Gives every coefficient mean 0 and deviation 1 over the frames of the training clips.

    Attributes:
        mean: one number per coefficient.
        deviation: one positive number per coefficient.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def fit(cls, features: np.ndarray, valid: np.ndarray) -> "Normaliser":
        """Measure training clips; every frame that is not padding counts the same.

        Args:
            features: ``[clip, coefficient, frame]``, training clips only.
            valid: ``[clip]``, number of frames of each clip that are not padding.
        """
        sound = _is_sound(features, valid)  # [clip, frame]
        values = np.moveaxis(features, 1, -1)[sound].astype(np.float64)  # [frame, coefficient]
        deviation = values.std(axis=0)
        # A coefficient that never changes stays as it is instead of being divided by zero.
        deviation = np.where(deviation > 1e-6, deviation, 1.0)
        return cls(tuple(values.mean(axis=0).tolist()), tuple(deviation.tolist()))

    def __call__(self, features: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Normalise ``[clip, coefficient, frame]`` to float32; padding becomes 0, the mean."""
        mean = np.asarray(self.mean)[:, np.newaxis]  # [coefficient, 1]
        deviation = np.asarray(self.deviation)[:, np.newaxis]
        sound = _is_sound(features, valid)[:, np.newaxis]  # [clip, 1, frame]
        return np.where(sound, (features - mean) / deviation, 0.0).astype(np.float32)


def _is_sound(features: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """``[clip, frame]``, true where a frame is not padding."""
    return np.arange(features.shape[-1]) < np.asarray(valid)[:, np.newaxis]


def _check_header(sound, path: str | Path) -> None:
    """Refuse what would take too much memory or time before anything is allocated."""
    seconds = sound.frames / sound.samplerate
    if not RATES[0] <= sound.samplerate <= RATES[1]:
        raise DataError(
            f"{path}: sample rate {sound.samplerate:,} Hz; {RATES[0]:,} to {RATES[1]:,} are read."
        )
    if seconds > MAX_SECONDS or sound.frames * sound.channels > MAX_SAMPLES:
        raise DataError(
            f"{path}: {seconds:,.0f} s of {sound.channels} channels at {sound.samplerate:,} Hz; "
            f"at most {MAX_SECONDS} s and {MAX_SAMPLES:,} samples are read, so cut it."
        )
