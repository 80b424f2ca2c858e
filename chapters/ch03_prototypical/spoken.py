"""Spoken words: the encoder, and a test on people who were never heard.

Ten words, digits of the recordings, are told apart from one or five examples: of the same person,
or of five people while a sixth asks. Classes of the test are no words of the training.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from chapters.ch03_prototypical.encoder import get_embeddings
from chapters.ch03_prototypical.models import PrototypicalNetwork
from chapters.ch03_prototypical.presets import SpokenConfig
from chapters.engine.evaluation import Conditions, interval95
from chapters.engine.results import Result, share
from datasets.readers import logmel
from datasets.readers.mfcc import mfcc
from datasets.sets import spoken_digits, spoken_words
from datasets.sets.spoken_digits import Spoken
from datasets.standins import synth_words
from datasets.tasks.episodes import to_float

QUERY = 5  # clips of a word that are asked for in a test
FIVE = 5  # people who are recorded while another one asks
CHOSEN_ON = ("george", "lucas")  # people on whom settings were chosen: they do not ask
COEFFICIENTS = 20  # of MFCC
MFCC, LOG_MEL, UNTRAINED = "MFCC, nearest mean", "log-mel, nearest mean", "untrained encoder"
FLOOR = 1e-6  # of a deviation


# --- data -----------------------------------------------------------------------------------------


def load(config: SpokenConfig):
    """Words to learn from: splits ``train`` and ``val``.

    Raises:
        DataError: the program that speaks is missing, or the cache cannot be written.
    """
    if config.data == "synth_words":
        return synth_words.load()
    return spoken_words.load(words=config.words, clips=config.clips)


def load_test(config: SpokenConfig) -> Spoken:
    """Words to test on, and who says them.

    Raises:
        DataError: the recordings are missing or broken.
    """
    if config.data == "synth_words":
        return synth_words.load_spoken()
    return spoken_digits.load_spoken(config.data_root or None, config.offline)


def read(paths: Iterable[str | Path], config: SpokenConfig | None = None) -> np.ndarray:
    """Sound files as a network sees them: float32 [clip, band, frame, 1].

    Raises:
        DataError: a file is missing or broken.
    """
    return np.reshape([logmel.read_word(path) for path in paths], [-1, *logmel.SHAPE])


# --- network --------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(__package__)
class NormaliseClip(layers.Layer):
    """Mean 0 and deviation 1 over a clip: how much of it is sound does not show."""

    def call(self, x):
        """[clip, band, frame, 1] -> the same shape."""
        mean, variance = tf.nn.moments(x, axes=[1, 2, 3], keepdims=True)  # [clip, 1, 1, 1]
        return (x - mean) * tf.math.rsqrt(variance + 1e-5)


def build_encoder(config: SpokenConfig) -> keras.Sequential:
    """Conv-4 on a clip of mean 0 and deviation 1: [band, frame, 1] -> [dim]."""
    blocks = get_embeddings(logmel.SHAPE, config.h_dim, config.z_dim, config.momentum)
    return keras.Sequential([layers.Input(logmel.SHAPE), NormaliseClip(), blocks], name="encoder")


@keras.saving.register_keras_serializable(__package__)
class SpokenNetwork(PrototypicalNetwork):
    """Prototypical network of sounds; an exported one begins with the sound itself."""

    def picture(self, sound):
        """Clips as the encoder sees them: [clip, sample] -> [clip, band, frame, 1].

        Args:
            sound: ``logmel.RATE`` samples a second, filled up with zeros.
        """
        return logmel.picture(sound)

    def serving_sound(self, strict: bool = False):
        """``serving`` of a task of sounds: support_x [support, sample], query_x [query, sample]."""
        serve = self.serving(strict)

        def serve_sound(support_x, support_y, query_x):
            return serve(self.picture(support_x), support_y, self.picture(query_x))

        return serve_sound


# --- test -----------------------------------------------------------------------------------------


class Tasks(NamedTuple):
    """Positions of clips, of all words one after the other."""

    support: np.ndarray  # [task, way, shot]
    query: np.ndarray  # [task, way, query]


class Column(NamedTuple):
    """A test."""

    name: str
    label: str
    shot: int


COLUMNS = (
    Column("accuracy_same_person", "same person, 1-shot", 1),
    Column("accuracy_same_person", "same person, 5-shot", FIVE),
    Column("accuracy_sixth_person", "sixth person, 5-shot", FIVE),
)


def draw(spoken: Spoken, column: Column, episodes: int, seed: int) -> Tasks:
    """Tasks of all words; the person who asks is never one of ``CHOSEN_ON``.

    Args:
        spoken: words and speakers.
        column: one of ``COLUMNS``.
        episodes: how many tasks.
        seed: the same gives the same tasks.
    """
    rng = np.random.default_rng([seed, COLUMNS.index(column)])
    people = sorted(set(spoken.speaker.tolist()))
    asking = [person for person in people if person not in CHOSEN_ON]
    words = range(len(spoken.data.class_names))
    of_word = [spoken.data.item_class == word for word in words]
    clips = {
        person: [np.flatnonzero(of_word[word] & (spoken.speaker == person)) for word in words]
        for person in people
    }
    tasks = [_draw_one(rng, clips, rng.choice(asking), column) for _ in range(episodes)]
    return Tasks(*(np.stack(parts) for parts in zip(*tasks, strict=True)))


def _draw_one(rng, clips: dict, person: str, column: Column):
    """Support [way, shot] and query [way, query] of a task; ``clips``: person -> word -> [clip]."""
    if column.name == "accuracy_same_person":
        drawn = [rng.permutation(of_word)[: column.shot + QUERY] for of_word in clips[person]]
        return np.split(np.stack(drawn), [column.shot], axis=1)
    others = [of_words for other, of_words in clips.items() if other != person]
    shown = [[rng.choice(of_word) for of_word in words] for words in zip(*others, strict=True)]
    asked = [rng.permutation(of_word)[:QUERY] for of_word in clips[person]]
    return np.array(shown), np.stack(asked)


def hits(features: np.ndarray, tasks: Tasks, scaled: bool = False) -> np.ndarray:
    """Share of the queries whose nearest class mean is their word's: [task].

    Args:
        features: [clip, dim].
        tasks: of ``draw``.
        scaled: every number in units of its deviation in the support set.
    """
    found = []
    for support, query in zip(tasks.support, tasks.query, strict=True):
        shown, asked = features[support], features[query]  # [way, shot, dim], [way, query, dim]
        if scaled:
            deviation = np.maximum(shown.std(axis=(0, 1)), FLOOR)  # [dim]
            shown, asked = shown / deviation, asked / deviation
        apart = asked[:, :, None] - shown.mean(axis=1)  # [way, query, way, dim]
        nearest = np.square(apart).sum(axis=-1).argmin(axis=-1)  # [way, query]
        found.append((nearest == np.arange(len(query))[:, None]).mean())
    return np.array(found)


def statistics(spoken: Spoken) -> np.ndarray:
    """Mean and deviation of every MFCC of each clip: [clip, 2 * coefficient]."""
    options = {"n_fft": logmel.WINDOW, "hop_length": logmel.HOP, "n_mels": logmel.BANDS}
    found = []
    for sound in spoken.sounds:
        x = mfcc(sound, logmel.RATE, n_mfcc=COEFFICIENTS, **options)  # [coefficient, frame]
        found.append(np.concatenate([x.mean(axis=1), x.std(axis=1)]))
    return np.stack(found)


def embed(learner, spoken: Spoken) -> np.ndarray:
    """Every clip once: [clip, dim]."""
    x = to_float(tf.constant(spoken.data.items))[..., None]  # [clip, band, frame, 1]
    return learner.embed(x).numpy()


def test(name: str, learner, untrained, spoken: Spoken, config: SpokenConfig) -> list[dict]:
    """Print the tests beside what has learned nothing; rows of ``metrics.json``.

    Args:
        name: of the method.
        learner: trained.
        untrained: the same with its first weights.
        spoken: words to test on.
        config: options of the run.
    """
    known = {
        MFCC: (statistics(spoken), True),
        LOG_MEL: (spoken.data.items.reshape(len(spoken.speaker), -1) / 255.0, False),
        UNTRAINED: (embed(untrained, spoken), False),
        name: (embed(learner, spoken), False),
    }
    tasks = {column: draw(spoken, column, config.test_episodes, config.seed) for column in COLUMNS}
    values = {
        method: {column: hits(features, tasks[column], scaled) for column in COLUMNS}
        for method, (features, scaled) in known.items()
    }
    print(table(values, spoken, config))
    return rows(values, spoken, config.seed, name)


def evaluate(learner, config: SpokenConfig, given: Conditions) -> list[dict]:
    """Rows of a trained learner's test, as asked.

    Raises:
        ConfigError, DataError: what is asked does not fit the test; the recordings are missing.
    """
    given.check("the test is ten words of one or five examples", way=(10,), shot=(), query=(QUERY,))
    given.check("it has seen nothing but stored averages", batch_norm=("stored",))
    spoken = load_test(config)
    features = embed(learner, spoken)
    values = {
        column: hits(features, draw(spoken, column, given.episodes, given.seed))
        for column in COLUMNS
    }
    return rows({"": values}, spoken, given.seed, "")


def rows(values, spoken: Spoken, seed: int, name: str) -> list[dict]:
    """Rows of ``metrics.json``.

    Args:
        values: method -> column -> share of queries [task].
        spoken: what they were measured on.
        seed: of the tasks.
        name: of the method that was trained.
    """
    return [
        Result(
            method=method,
            measure=share(column.name, column.label),
            mean=float(found.mean()),
            interval=interval95(found),
            data=spoken.data.name,
            generated=spoken.data.generated,
            seed=seed,
            way=len(spoken.data.class_names),
            shot=column.shot,
            query=QUERY,
            episodes=len(found),
            batch_norm="stored",
            headline=method == name and column is COLUMNS[0],
        ).row()
        for method, by_column in values.items()
        for column, found in by_column.items()
    ]


def table(values, spoken: Spoken, config: SpokenConfig) -> str:
    """The results as text: accuracy in % with 95 % intervals."""
    width = max(map(len, values)) + 2
    lines = [
        f"\nAccuracy in % on {len(spoken.data.class_names)} words never heard in training "
        f"({spoken.data.name}{', generated stand-in' if spoken.data.generated else ''}),\n"
        f"{config.test_episodes} episodes, {QUERY} queries per word, 95 % interval:\n",
        " " * width + "".join(column.label.rjust(22) for column in COLUMNS),
    ]
    for method, by_column in values.items():
        cells = [f"{100 * x.mean():.2f} +- {100 * interval95(x):.2f}" for x in by_column.values()]
        lines.append(method.ljust(width) + "".join(cell.rjust(22) for cell in cells))
    return "\n".join(lines) + "\n"
