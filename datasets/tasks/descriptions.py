"""Classes known by words: descriptions as vectors, and tasks without any example."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.tasks.episodes import EpisodeSampler

WORD = r"[0-9a-z][0-9a-z'-]*"


class Descriptions:
    """Turns words into vectors, with the words that describe the classes to learn from.

    A vector has a number for each word that describes one of these classes: 0, or more the rarer
    the word is (inverse document frequency); it has length one. A word of a single class counts
    too, if ``least`` is 1: another class that has it is like that one.

    Args:
        words: of each class to learn from, such as ``("grinning face", "happy", "smile")``.
        least: classes that a word must describe.

    Raises:
        DataError: the classes have no words in common.
    """

    def __init__(self, words: Sequence[Sequence[str]], least: int = 1):
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer(min_df=least, binary=True, token_pattern=WORD)
        try:
            vectors = self._vectorizer.fit_transform(map(" ".join, words))
            shared = (vectors > 0).sum(axis=0).max() > 1
        except ValueError:  # no word is left
            shared = False
        if not shared:
            raise DataError(
                "The classes to learn from have no words in common, so nothing can be learned of "
                "a class from its description."
            )

    def __len__(self):
        return len(self._vectorizer.vocabulary_)

    def __contains__(self, word: str):
        return word in self._vectorizer.vocabulary_

    def __call__(self, words: Sequence[Sequence[str]]) -> np.ndarray:
        """Descriptions of classes: float32 [class, word]; zero where no word is known."""
        vectors = self._vectorizer.transform(map(" ".join, words))
        return vectors.toarray().astype(np.float32)


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
