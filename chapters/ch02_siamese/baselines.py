"""What a siamese network has to beat: raw pixels, MFCC statistics, and the length of a clip."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from datasets.sets.sounds import Clips


def pixels(images) -> np.ndarray:
    """Pictures [picture, ...] as vectors [picture, pixel]: an embedding that learns nothing."""
    return np.asarray(images, np.float32).reshape(len(images), -1)


def statistics(clips: Clips) -> np.ndarray:
    """Mean and deviation of every MFCC over the frames that are sound: [clip, 2 * coefficient]."""
    return np.stack(
        [
            np.concatenate([features[:, :valid].mean(axis=1), features[:, :valid].std(axis=1)])
            for features, valid in zip(clips.features, clips.valid, strict=True)
        ]
    )


def length(clips: Clips) -> np.ndarray:
    """Frames of sound, [clip, 1]; zero-padding shows it to a network (erratum E2.17)."""
    return np.asarray(clips.valid, np.float64)[:, None]


def dog_probability(features, is_dog, train) -> np.ndarray:
    """Logistic regression dog or cat, trained on the clips ``train``: probability of dog [clip].

    Args:
        features: [clip, feature].
        is_dog: [clip] bool.
        train: positions of the training clips.
    """
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(features[train], is_dog[train])
    return model.predict_proba(features)[:, 1]


def same_animal(probability, first, second) -> np.ndarray:
    """Probability that two clips hold the same animal, from each one's probability of dog."""
    a, b = probability[first], probability[second]
    return a * b + (1 - a) * (1 - b)
