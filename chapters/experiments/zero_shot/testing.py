"""Tests of zero-shot learners: few unseen classes at a time, all of them, and what is known without
a network for descriptions.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from chapters.engine.evaluation import Conditions, Evaluator, Score, interval95
from chapters.engine.results import MINUS, Result, interval95_of_runs, share
from chapters.experiments.options import ZeroShotOptions
from chapters.experiments.zero_shot import baselines
from chapters.experiments.zero_shot.tasks import Split, load, split, unseen_tasks, ways
from datasets.dataset import Dataset
from datasets.tasks.descriptions import DescribedSampler
from datasets.tasks.episodes import to_float

AT_ONCE = 250  # pictures
Scores = dict[str, dict[int, Score]]  # name -> way -> accuracy


def test(name: str, learner, features, drawn: Split, config: ZeroShotOptions) -> Scores:
    """Accuracy on classes never seen: name -> way -> Score; the largest way is all of them.

    The last names are what the method is above others, task by task or class by class.

    Args:
        name: of the method.
        learner: trained.
        features: encoder of images that the baselines map descriptions to.
        drawn: classes.
        config: options of the run.
    """
    unseen = len(drawn.data.classes("test"))
    tests = unseen_tasks(drawn.data, drawn.described, config)
    found = {}  # name -> way -> accuracy [task], of the largest way [class]
    for contender, predict in _contenders(name, learner, features, drawn).items():
        found[contender] = {
            way: Evaluator(predict, tasks, config.test_episodes).values()
            for way, tasks in tests.items()
        }
        found[contender][unseen] = among_all(predict, drawn.data, drawn.described)
    for rival in (baselines.MEAN, baselines.RIDGE):
        found[f"{name}{MINUS}{rival}"] = {
            way: values - found[rival][way] for way, values in found[name].items()
        }
    scores = {baselines.CHANCE: _chance([*ways(drawn.data, config), unseen], config.seed)}
    for contender, by_way in found.items():
        scores[contender] = {
            way: _score(values, None if way == unseen else len(values), config.seed)
            for way, values in by_way.items()
        }
    return scores


def _contenders(name: str, learner, features, drawn: Split) -> dict:
    """Name -> function of the inputs."""
    means = baselines.class_means(features, drawn)  # [class, dim]
    return {
        baselines.MEAN: baselines.nearest(features, baselines.mean_of_seen(means, drawn)),
        baselines.RIDGE: baselines.nearest(features, baselines.ridge(means, drawn)),
        name: lambda inputs: learner(inputs, training=False),
    }


def _chance(ways: list[int], seed: int) -> dict[int, Score]:
    return {way: Score(1 / way, 0.0, 0, seed, "stored") for way in ways}


def _score(values: np.ndarray, episodes: int | None, seed: int) -> Score:
    return Score(
        float(np.mean(values, dtype=np.float64)), interval95(values), episodes, seed, "stored"
    )


def evaluate(learner, config: ZeroShotOptions, given: Conditions) -> list[dict]:
    """Rows of the test of a trained learner, on the unseen classes of its first draw.

    Raises:
        ConfigError, DataError: what is asked does not fit the learner or the data.
    """
    given.check("classes are described, and no example is given", shot=())
    given.check("it has seen nothing but stored averages", batch_norm=("stored",))
    drawn = split(load(config), config, 0)

    def predict(inputs):
        return learner(inputs, training=False)

    unseen = len(drawn.data.classes("test"))
    way = given.way or unseen
    if way == unseen:
        score = _score(among_all(predict, drawn.data, drawn.described), None, given.seed)
        return rows("", [{"": {way: score}}], drawn.data, config)
    query = given.query or config.test_query
    sampler = DescribedSampler(drawn.data, "test", drawn.described, way, query, 5, given.seed)
    score = Evaluator(predict, sampler, given.episodes)()
    asked = dataclasses.replace(config, test_query=query)
    # The largest way is taken for all that are unseen, and left out.
    return rows("", [{"": {way: score, unseen: score}}], drawn.data, asked)[:1]


def among_all(predict, data: Dataset, described: np.ndarray) -> np.ndarray:
    """Share of the pictures of each unseen class that are told among all unseen ones: [class].

    Classes are what a mean and its interval are over: other pictures of these classes would move
    it less than other classes.

    Args:
        predict: function of the inputs of tasks.
        data: classes, the unseen ones in its split ``test``.
        described: [class, word].
    """
    hits = answers(predict, data, described) == np.repeat(
        np.arange(len(data.classes("test"))), _sizes(data)
    )
    return np.array([part.mean() for part in np.split(hits, np.cumsum(_sizes(data))[:-1])])


def answers(predict, data: Dataset, described: np.ndarray) -> np.ndarray:
    """The class that each picture of the unseen ones is given among all of them: [picture].

    Arguments as for ``among_all``.
    """
    classes = data.classes("test")
    described = tf.constant(described[classes])[None]  # [1, class, word]
    items = np.concatenate([data.items_of(k) for k in classes])
    found = []
    for start in range(0, len(items), AT_ONCE):
        x = data.items[items[start : start + AT_ONCE]]
        x = to_float(tf.constant(x.reshape(-1, *data.image_shape)))
        logits = predict({"attributes": described, "query_x": x[None]})  # [1, picture, class]
        found.append(np.argmax(logits[0], axis=-1))
    return np.concatenate(found)


def _sizes(data: Dataset) -> np.ndarray:
    return np.bincount(data.item_class)[data.classes("test")]


def tell(drawn: Split, scores: Scores, name: str) -> None:
    """A line for a draw of unseen classes: which they are, and what was reached."""
    if "val" in drawn.data.splits:  # the only one, which has a table of its own
        return
    unseen = ", ".join(drawn.data.class_names[k] for k in drawn.data.classes("test"))
    reached = scores[name][len(drawn.data.classes("test"))].mean
    print(f"Draw {drawn.number + 1}, unseen: {unseen}; {100 * reached:.1f} %", flush=True)


def rows(name: str, scores: list[Scores], data: Dataset, config: ZeroShotOptions) -> list[dict]:
    """Rows of ``metrics.json``; with several draws of unseen classes the mean over them.

    Args:
        name: of the method that was trained.
        scores: of each draw.
        data: what they were measured on.
        config: options of the run.
    """
    return [
        Result(
            method=method,
            measure=share("accuracy", _label(way, by_way)),
            data=data.name,
            generated=data.generated,
            way=way,
            query=None if way == max(by_way) else config.test_query,
            headline=method == name and way == min(by_way),
            rival=MINUS not in method,
            runs=len(scores) if len(scores) > 1 else None,
            **_over_draws([one[method][way] for one in scores])._asdict(),
        ).row()
        for method, by_way in scores[0].items()
        for way in by_way
    ]


def _label(way: int, ways) -> str:
    return f"all {way} unseen" if way == max(ways) else f"{way}-way zero-shot"


def _over_draws(scores: list[Score]) -> Score:
    """One score as it is; of several the mean, with an interval over the draws."""
    if len(scores) == 1:
        return scores[0]
    means = [score.mean for score in scores]
    return scores[0]._replace(mean=float(np.mean(means)), interval=interval95_of_runs(means))


def table(name: str, scores: list[Scores], data: Dataset, config: ZeroShotOptions) -> str:
    """The results as text: accuracy in % with 95 % intervals."""
    ways = list(scores[0][name])
    width = max(map(len, scores[0])) + 2
    over = f"mean of {len(scores)} draws of unseen classes, " if len(scores) > 1 else ""
    lines = [
        f"\nAccuracy in % on classes known by words alone ({data.name}"
        f"{', generated stand-in' if data.generated else ''}),\n{over}95 % interval:\n",
        " " * width + "".join(_label(way, ways).rjust(18) for way in ways),
    ]
    for method in scores[0]:
        found = [_over_draws([one[method][way] for one in scores]) for way in ways]
        cells = [
            f"{100 * s.mean:.2f} +- {100 * s.interval:.2f}" if s.interval else f"{100 * s.mean:.2f}"
            for s in found
        ]
        lines.append(method.ljust(width) + "".join(cell.rjust(18) for cell in cells))
    return "\n".join(lines) + "\n"
