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


def class_probability(features, label, train) -> np.ndarray:
    """Logistic regression, trained on the clips ``train``: probability [clip, class].

    Args:
        features: [clip, feature].
        label: [clip], numbers of classes.
        train: positions of the training clips.
    """
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(features[train], label[train])
    return model.predict_proba(features)


def same_class(probability, first, second) -> np.ndarray:
    """Probability that two clips are of one class, from each one's own [clip, class]: [pair]."""
    return (probability[first] * probability[second]).sum(axis=1)
