"""Classes known by words: descriptions as vectors, and tasks without any example."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.tasks.episodes import EpisodeSampler

LEAST = 2  # classes that a word must describe: a word of a single one says nothing of others
WORD = r"[0-9a-z][0-9a-z'-]*"


class Descriptions:
    """Turns words into vectors, with the words that describe the classes to learn from.

    A vector has a number for each word that describes at least ``least`` of these classes: 0, or
    more the rarer the word is (inverse document frequency); it has length one.

    With ``topics`` it has a number for each of so many directions in which these vectors differ
    most (latent semantic analysis): words that go together are one direction, so that classes can
    be alike without a common word.

    Args:
        words: of each class to learn from, such as ``("grinning face", "happy", "smile")``.
        topics: number of directions, 0 for words as they are.
        least: classes that a word must describe, two or more.

    Raises:
        DataError: the classes have no words in common, or not more of them than topics.
    """

    def __init__(self, words: Sequence[Sequence[str]], topics: int = 0, least: int = LEAST):
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer(min_df=least, binary=True, token_pattern=WORD)
        try:
            vectors = self._vectorizer.fit_transform(map(" ".join, words))
        except ValueError as error:
            raise DataError(
                "The classes to learn from have no words in common, so nothing can be learned of "
                "a class from its description."
            ) from error
        self._directions = _directions(vectors, topics) if topics else None

    def __len__(self):
        return len(self._vectorizer.vocabulary_)

    def __contains__(self, word: str):
        return word in self._vectorizer.vocabulary_

    def __call__(self, words: Sequence[Sequence[str]]) -> np.ndarray:
        """Descriptions of classes: float32 [class, word or topic]; zero where no word is known."""
        vectors = self._vectorizer.transform(map(" ".join, words)).toarray()  # [class, word]
        if self._directions is not None:
            vectors = vectors @ self._directions  # [class, topic]
            length = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
        return vectors.astype(np.float32)


def _directions(vectors, topics: int) -> np.ndarray:
    """The first right singular vectors of the descriptions: [word, topic]."""
    most = min(vectors.shape) - 1
    if topics > most:
        raise DataError(
            f"{topics} topics need more classes and shared words than {vectors.shape[0]} and "
            f"{vectors.shape[1]}; at most {most} here."
        )
    _, strength, directions = np.linalg.svd(vectors.toarray(), full_matrices=False)
    # The sign of a direction is free: its largest word is positive, the same on every machine.
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(directions[np.arange(len(strength)), largest])[:, None]
    return directions[:topics].T


def check_words(dataset: Dataset, split: str) -> None:
    """Raise DataError when a class of a split has no words."""
    for k in dataset.classes(split):
        if not (dataset.words and dataset.words[k]):
            raise DataError(
                f"Class {dataset.class_names[k]} of {dataset.name}/{split} has no description; "
                "every class needs words of its own here."
            )


class DescribedSampler:
    """Draws ``way`` classes with their descriptions, and ``query`` items of each; no support set.

    Args:
        dataset: items grouped by class.
        split: name of a split of ``dataset``.
        described: [class, word], see ``Descriptions``.
        way, tasks, seed: as for ``EpisodeSampler``.
        query: items per class, at least 2.

    Raises:
        DataError: the split has too few classes, a class has too few items or no words.
    """

    def __init__(
        self, dataset: Dataset, split: str, described, way: int, query: int, tasks=1, seed=0
    ):
        check_words(dataset, split)
        self.name, self.way, self.query = f"{dataset.name}/{split}", way, query
        self.tasks, self.seed = tasks, seed
        # The first item of each class is a query like the others here.
        self._sampler = EpisodeSampler(dataset, split, way, 1, query - 1, tasks, seed)
        self._described = tf.constant(described, tf.float32)

    def __call__(self, index):
        """Batch number ``index`` as ``(inputs, query_y)``: ``attributes`` [task, way, word] and
        ``query_x`` [task, way * query, ...].
        """
        episode = self._sampler.episode(index)
        inputs = {
            "attributes": tf.gather(self._described, episode.class_ids),  # [task, way, word]
            "query_x": tf.concat([episode.support_x, episode.query_x], axis=1),
        }
        query_y = tf.concat([episode.support_y, episode.query_y], axis=1)  # [task, way * query]
        return inputs, query_y
