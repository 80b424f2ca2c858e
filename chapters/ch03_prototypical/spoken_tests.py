"""Tests on sounds whose classes were not learned from.

Ten words, digits of the recordings, are told apart from one or five examples: of the same person,
or of five people while a sixth asks. Of a folder of the user's own, classes are drawn, and it is
not known who makes the sounds.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from chapters.ch03_prototypical import own_sounds
from chapters.ch03_prototypical.presets import SpokenConfig
from chapters.ch03_prototypical.spoken import load, load_test
from chapters.engine.evaluation import Conditions, interval95
from chapters.engine.results import Result, share
from chapters.experiments import starting
from chapters.experiments.options import parse_columns
from datasets.errors import DataError
from datasets.readers import logmel
from datasets.readers.mfcc import mfcc
from datasets.sets import spoken_digits
from datasets.sets.spoken_digits import CHOSEN_ON, Spoken
from datasets.tasks.episodes import to_float

QUERY = 5  # clips of a word that are asked for in a test
FIVE = 5  # people who are recorded while another one asks
COEFFICIENTS = 20  # of MFCC
MFCC, LOG_MEL, UNTRAINED = "MFCC, nearest mean", "log-mel, nearest mean", "untrained encoder"
ONCE = "prototypical network, one beginning"
FLOOR = 1e-6  # of a deviation


class Tasks(NamedTuple):
    """Positions of clips, of all words one after the other."""

    support: np.ndarray  # [task, way, shot]
    query: np.ndarray  # [task, way, query]


class Column(NamedTuple):
    """A test."""

    name: str
    label: str
    shot: int
    way: int = len(spoken_digits.DIGITS)  # of as many words, whoever says them


COLUMNS = (
    Column("accuracy_same_person", "same person, 1-shot", 1),
    Column("accuracy_same_person", "same person, 5-shot", FIVE),
    Column("accuracy_sixth_person", "sixth person, 5-shot", FIVE),
)


def columns(config: SpokenConfig) -> tuple[Column, ...]:
    """The tests of a run; of a folder's classes, those that were asked for."""
    if not own_sounds.is_own(config):
        return COLUMNS
    asked = parse_columns(config.columns)
    return tuple(Column("accuracy", one.label, one.shot, one.way) for one in asked)


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


def draw_classes(spoken: Spoken, column: Column, query: int, episodes: int, seed: int) -> Tasks:
    """Tasks of some classes each, whoever makes the sounds.

    Args:
        spoken: sounds.
        column: with a way that there are classes for.
        query: clips of a class that are asked for.
        episodes: how many tasks.
        seed: the same gives the same tasks.

    Raises:
        DataError: too few classes, or a class has too few clips.
    """
    data = spoken.data
    members = [data.items_of(k) for k in range(len(data.class_names))]
    fewest, needed = min(map(len, members)), column.shot + query
    if len(members) < column.way or fewest < needed:
        raise DataError(
            f"{data.name} has {len(members)} classes to test on, of {fewest} or more sounds; "
            f"{column.label} tasks with {query} queries per class need {column.way} of {needed}."
        )
    rng = np.random.default_rng([seed, column.way, column.shot])
    drawn = [
        [rng.permutation(members[k])[:needed] for k in rng.permutation(len(members))[: column.way]]
        for _ in range(episodes)
    ]
    return Tasks(*np.split(np.array(drawn), [column.shot], axis=2))  # [task, way, shot or query]


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


def embed(embedder, spoken: Spoken) -> np.ndarray:
    """Every clip: [clip, dim].

    Args:
        embedder: ``embed`` or ``embed_once`` of a learner.
        spoken: words.
    """
    x = to_float(tf.constant(spoken.data.items))[..., None]  # [clip, band, frame, 1]
    return embedder(x).numpy()


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
        UNTRAINED: (embed(untrained.embed, spoken), False),
    }
    if config.init:
        starting.load(untrained, config)
        known[starting.as_it_was(config)] = embed(untrained.embed, spoken), False
    known[ONCE] = embed(learner.embed_once, spoken), False
    known[name] = embed(learner.embed, spoken), False
    tasks = draw_all(spoken, config)
    values = {
        method: {column: hits(features, drawn, scaled) for column, drawn in tasks.items()}
        for method, (features, scaled) in known.items()
    }
    print(table(values, spoken, config))
    return rows(values, spoken, config, name)


def draw_all(spoken: Spoken, config: SpokenConfig) -> dict[Column, Tasks]:
    """The tasks of every test of a run."""
    number = config.test_episodes, config.seed
    if own_sounds.is_own(config):
        query = config.test_query
        return {one: draw_classes(spoken, one, query, *number) for one in columns(config)}
    return {one: draw(spoken, one, *number) for one in COLUMNS}


def evaluate(learner, config: SpokenConfig, given: Conditions) -> list[dict]:
    """Rows of a trained learner's test, as asked.

    Raises:
        ConfigError, DataError: what is asked does not fit the test; the recordings are missing.
    """
    given.check("it has seen nothing but stored averages", batch_norm=("stored",))
    words = None
    if own_sounds.is_own(config):
        words, config = load(config)  # with the seed of the training, which split the folder
        usual = parse_columns(config.columns)[0]
        column = usual._replace(way=given.way or usual.way, shot=given.shot or usual.shot)
        query = given.query or config.test_query
        config = dataclasses.replace(config, columns=str(column), test_query=query)
    else:
        ten = {"way": (10,), "shot": (), "query": (QUERY,)}
        given.check("the test is ten words of one or five examples", **ten)
    spoken = load_test(config, words)
    config = dataclasses.replace(config, test_episodes=given.episodes, seed=given.seed)
    features, tasks = embed(learner.embed, spoken), draw_all(spoken, config)
    values = {column: hits(features, drawn) for column, drawn in tasks.items()}
    return rows({"": values}, spoken, config, "")


def rows(values, spoken: Spoken, config: SpokenConfig, name: str) -> list[dict]:
    """Rows of ``metrics.json``.

    Args:
        values: method -> column -> share of queries [task].
        spoken: what they were measured on.
        config: options of the run.
        name: of the method that was trained.
    """
    first = columns(config)[0]
    return [
        Result(
            method=method,
            measure=share(column.name, column.label),
            mean=float(found.mean()),
            interval=interval95(found),
            data=spoken.data.name,
            generated=spoken.data.generated,
            seed=config.seed,
            way=column.way,
            shot=column.shot,
            query=queries(config),
            episodes=len(found),
            batch_norm="stored",
            headline=method == name and column == first,
        ).row()
        for method, by_column in values.items()
        for column, found in by_column.items()
    ]


def queries(config: SpokenConfig) -> int:
    """Clips of a word that are asked for in a test."""
    return config.test_query if own_sounds.is_own(config) else QUERY


def table(values, spoken: Spoken, config: SpokenConfig) -> str:
    """The results as text: accuracy in % with 95 % intervals."""
    width, query = max(map(len, values)) + 2, queries(config)
    asked = f"{query} {'query' if query == 1 else 'queries'} per class"
    lines = [
        f"\nAccuracy in % on {len(spoken.data.class_names)} classes never heard in training "
        f"({spoken.data.name}{', generated stand-in' if spoken.data.generated else ''}),\n"
        f"{config.test_episodes} episodes, {asked}, 95 % interval:\n",
        " " * width + "".join(column.label.rjust(22) for column in columns(config)),
    ]
    for method, by_column in values.items():
        cells = [f"{100 * x.mean():.2f} +- {100 * interval95(x):.2f}" for x in by_column.values()]
        lines.append(method.ljust(width) + "".join(cell.rjust(22) for cell in cells))
    return "\n".join(lines) + "\n"
