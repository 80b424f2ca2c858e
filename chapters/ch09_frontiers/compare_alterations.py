"""What each alteration of the copies is worth: networks that learn with all but one of them.

python -m chapters.ch09_frontiers.compare_alterations                    # generated characters
python -m chapters.ch09_frontiers.compare_alterations --preset omniglot  # two seeds, an hour
python -m chapters.ch09_frontiers.compare_alterations --preset emoji     # in colour

Validation classes are asked and test classes are not looked at, so the table may be used to choose.
Every network has a run folder of its own below that of the run; with ``--resume`` those that are
finished are kept.
"""

import dataclasses

import keras

from chapters.ch09_frontiers import pair_plots, pairs, train_unlabelled, unlabelled
from chapters.ch09_frontiers.presets import SCRIPTS
from chapters.engine import configuration, script, strategies
from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Evaluator
from chapters.engine.runs import RunFolder
from chapters.experiments import images
from chapters.experiments.images import metric

ALL = "all alterations"
WITHOUT = {
    "turn": "without turning",
    "zoom": "without zoom",
    "shear": "without shear",
    "shift": "without shift",
    "thickness": "without thickness",
    "colour": "without colours",
    "erase": "without erasing",
}
TURNED = "without turned tasks"


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["compare_alterations"], argv)
    device = script.prepare(config.seed)
    data, config = load(config)
    run = RunFolder.open(config, __spec__.name, device)
    print(f"Device: {device}. Run folder: {run.path}.", unlabelled.describe(data, config), sep="\n")

    # One network for each row and seed; one seed has the same first weights and pictures for all.
    seeds = range(config.seed, config.seed + config.seeds)
    answers, seconds = {}, 0.0
    for name, altered in rows_of(config).items():
        answers[name] = []
        for seed in seeds:
            print(f"\n{name}, seed {seed}:", flush=True)
            options = dataclasses.replace(altered, seed=seed)
            part = run.sub(f"{name.replace(' ', '-')}-{seed}")
            found, took = train(options, config, data, part)
            answers[name].append(found)
            seconds += took

    asked = pairs.accuracies(data, config)
    found = pairs.stacked(answers)
    print(pairs.table(found, asked))
    conditions = {
        "data": data.name,
        "seed": config.seed,
        "generated": data.generated,
        "split": "val",
    }
    lines = pairs.rows(found, asked, [], [], **conditions)
    metrics = {"method": ALL, "results": lines, "train_seconds": round(seconds, 1)}
    run.json("metrics.json", metrics)
    run.figure("compared", pair_plots.compared(found, asked, list(range(min(2, len(asked))))))
    print(f"Metrics and picture are in {run.path}, and below it the networks.")


def load(config):
    """Data whose test classes are those of validation, and options that fit.

    Raises:
        ConfigError: a folder without classes, which has no labels to ask for.
    """
    if unlabelled.is_loose(config):
        raise ConfigError(
            f"--data {config.data} has no class folders, so nobody can say which network tells "
            "its classes apart best; sort some pictures into folders, or take another set."
        )
    data, config = unlabelled.load(config)
    splits = {**data.splits, "test": data.splits["val"]}
    return dataclasses.replace(data, splits=splits), config


def rows_of(config) -> dict:
    """Name of a row -> options: as they are, and without each alteration that they have."""
    rows = {ALL: config}
    for field, name in WITHOUT.items():
        if getattr(config, field):
            rows[name] = dataclasses.replace(config, **{field: 0.0})
    if config.rotations:
        rows[TURNED] = dataclasses.replace(config, rotations=False)
    return rows


def train(altered, config, data, run: RunFolder):
    """Train one network: its accuracy for each question and task, and the seconds it took.

    Args:
        altered: options of the row and seed.
        config: options of the run, which say what all networks are asked.
        data: from ``load``.
        run: folder of the network.
    """
    keras.utils.set_random_seed(altered.seed)
    sizes = metric.VALIDATION_WAY, metric.TASKS_AT_ONCE
    tasks = unlabelled.samplers(data, altered, run, *sizes)
    learner, loop = train_unlabelled.train(tasks, data, altered, run, strategies.make("none"))

    def answers():
        columns = images.parse_columns(config.columns)
        drawn = [images.test_sampler(data, config, one, metric.TASKS_AT_ONCE) for one in columns]
        return [Evaluator(learner, tasks, config.test_episodes).values() for tasks in drawn]

    return pairs.kept(run, answers), loop.seconds


if __name__ == "__main__":
    script.run(main)
