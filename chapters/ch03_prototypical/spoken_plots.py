"""Pictures of spoken words: how they are altered, and whether people who say one lie together."""

import numpy as np
from sklearn.manifold import TSNE

from chapters.engine.figures import SERIES, SMALL, WIDTH, plt
from datasets.sets.spoken_digits import Spoken

WORDS, TIMES = 5, 4  # shown
NEAR = 30.0  # perplexity of t-SNE, about as many neighbours
MARKS = "osv^Dx*P"  # of people
SOUND = {"origin": "lower", "aspect": "auto", "cmap": "magma", "vmin": 0, "vmax": 1}


def heard(words, sampler):
    """Words of the training data, a row each: as they are said, and as the network hears them.

    Args:
        words: data set.
        sampler: ``hearing.Heard``, of the first task of which the support set is shown.
    """
    plain, _ = sampler.sampler(0)
    altered, _ = sampler(0)
    rows = min(WORDS, sampler.way)
    shown = min(TIMES, sampler.shot)
    figure, axes = plt.subplots(rows, 2 * shown, figsize=(WIDTH, 1.1 * rows), squeeze=False,
                                layout="constrained")  # fmt: skip
    labels = plain["support_y"][0].numpy()
    for row in range(rows):
        of_word = np.flatnonzero(labels == row)[:shown]
        for column, item in enumerate(of_word):
            axes[row, column].imshow(plain["support_x"][0, item, ..., 0], **SOUND)
            axes[row, shown + column].imshow(altered["support_x"][0, item, ..., 0], **SOUND)
    for axis in axes.ravel():
        axis.set_xticks([])
        axis.set_yticks([])
    axes[0, 0].set_title("as it is said", fontsize=SMALL, loc="left")
    axes[0, shown].set_title("as it may be heard", fontsize=SMALL, loc="left")
    axes[-1, 0].set_xlabel("time", fontsize=SMALL)
    axes[-1, 0].set_ylabel("frequency", fontsize=SMALL)
    return figure


def people(embeddings, spoken: Spoken):
    """Embeddings of the test in two dimensions (t-SNE): a colour for a word, a mark for a person.

    Args:
        embeddings: [clip, dim].
        spoken: words and speakers.
    """
    near = min(NEAR, (len(embeddings) - 1) / 3)  # of few clips, fewer are near
    tsne = TSNE(perplexity=near, random_state=0, init="pca")
    places = tsne.fit_transform(embeddings)  # [clip, 2]
    figure, axis = plt.subplots(figsize=(WIDTH, 0.75 * WIDTH), layout="constrained")
    speakers = sorted(set(spoken.speaker.tolist()))
    for k, word in enumerate(spoken.data.class_names):
        for mark, person in zip(MARKS, speakers, strict=False):
            here = (spoken.data.item_class == k) & (spoken.speaker == person)
            axis.scatter(*places[here].T, s=14, marker=mark, color=plt.get_cmap("tab10")(k % 10))
        middle = np.median(places[spoken.data.item_class == k], axis=0)
        axis.annotate(word, middle, ha="center", weight="bold")
    for mark, person in zip(MARKS, speakers, strict=False):
        axis.scatter([], [], marker=mark, color=SERIES[0], label=person)
    if speakers[1:]:  # those of a folder are not known
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, 0)}
        axis.legend(fontsize=SMALL, ncols=len(speakers), **below)
    axis.set_axis_off()
    return figure
