"""Task-agnostic meta-learning on images: MAML without a bias to some of its tasks, beside MAML.

python -m chapters.ch09_frontiers.train_taml                      # generated characters
python -m chapters.ch09_frontiers.train_taml --preset paper       # Omniglot, all terms, five seeds
python -m chapters.ch09_frontiers.train_taml --data FOLDER        # your own class folders

Every network of a comparison has a run folder of its own below that of the run; with ``--resume``
those that are finished are kept.
"""

import dataclasses

import keras
import numpy as np

from chapters.ch09_frontiers import pair_plots, pairs, taml
from chapters.ch09_frontiers.inequality import entropy, gini
from chapters.ch09_frontiers.learners import build_learner
from chapters.ch09_frontiers.pairs import Question, Statistic
from chapters.ch09_frontiers.presets import SCRIPTS, TERM_NAMES, terms_of
from chapters.engine import configuration, script
from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Evaluator
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.results import Measure, share
from chapters.engine.runs import RunFolder
from chapters.experiments import images
from chapters.experiments.images import adaptation
from chapters.experiments.options import outer_rate

MAML = "MAML"
GINI = Measure("gini_of_initial_losses", "Gini of losses before the inner steps")
SPREAD = Measure("spread_of_accuracy", "standard deviation of accuracy over tasks", "%", 2)
NATS = {
    "before": Measure("entropy_before", "entropy before the inner steps, nats"),
    "after": Measure("entropy_after", "entropy after the inner steps, nats"),
}


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_taml"], argv)
    check(config)
    device = adaptation.prepare(config)
    data, config = adaptation.load(config)
    run = RunFolder.open(config, __spec__.name, device)
    print(f"Device: {device}. Run folder: {run.path}.", images.describe(data, config), sep="\n")

    # MAML and TAML in pairs: one seed has the same first weights and tasks for all.
    names = [MAML, *(TERM_NAMES[term] for term in terms_of(config))]
    trained = {name: [] for name in names}
    for number in range(config.seeds):
        for name, term in zip(names, ["", *terms_of(config)], strict=True):
            trained[name].append(train(name, term, config.seed + number, data, config, run))
    learner, loop, _ = trained[names[1]][0]  # stands for the run: chosen by its number
    run.weights(learner)

    # Test: the same tasks for both of a pair, and the mean of the differences.
    asked = questions(data, config)
    found = pairs.stacked({name: [one[2] for one in of] for name, of in trained.items()})
    print(pairs.table(found, asked))
    rows = pairs.rows(found, asked, statistics(asked), [MAML], **conditions(data, config))
    seconds = sum(loop.seconds for of_name in trained.values() for _, loop, _ in of_name)
    run.metrics(names[1], rows, learner, loop, seconds, **images.seen(data, config))

    histories = {name: [one[1].history for one in of_name] for name, of_name in trained.items()}
    draw(run, histories, found, asked)
    print(f"Weights, metrics and pictures are in {run.path}.")
    task = first_task(images.example(data, config, query=5).inputs)
    export_run(run, {"serve": (adapt_and_predict(learner, strict=True), task)})


def train(name: str, term: str, seed: int, data, config, run: RunFolder):
    """One network: the learner, its loop, and its answers to all questions [question] [task]."""
    config = dataclasses.replace(config, seed=seed)
    run = run.sub(f"seed-{seed}-{term or 'maml'}")
    keras.utils.set_random_seed(seed)
    training, validation, tests = adaptation.samplers(data, config)
    learner = build_learner(config)
    optimizer = keras.optimizers.Adam(outer_rate(config))
    optimizer.build(learner.trainable_variables)
    weight = config.weight if term else 0.0
    mapping = adaptation.mapping(config)
    step = taml.train_step(learner, optimizer, mapping, term, weight, config.adapted)
    print(f"\n{name}, seed {seed}:", flush=True)
    loop = adaptation.loop(step, learner, optimizer, training, validation, run, config, None)
    loop.validate = with_looks(loop.validate, learner, validation, config)
    loop()
    return learner, loop, pairs.kept(run, lambda: answers(learner, tests, config))


def with_looks(validate, learner, sampler, config):
    """Validation of accuracy, and of what the terms are about."""
    looks = looks_of(learner, sampler, config.validation_episodes)

    def both():
        losses, before, after = (look.values() for look in looks)
        return {
            **validate(),
            "inequality": float(gini(losses)),
            "entropy_before": before.mean(),
            "entropy_after": after.mean(),
        }

    return both


def looks_of(learner, sampler, episodes: int) -> list[Evaluator]:
    """Evaluators of the losses before the inner steps, and of the entropy before and after."""

    def before(inputs):
        return taml.before(learner, inputs)

    def after(inputs):
        weights = learner.adapt(inputs["support_x"], inputs["support_y"])
        return learner.predict_with(weights, inputs["query_x"])

    def undecided(_, logits):
        return entropy(logits)

    looks = ((before, learner.objective), (before, undecided), (after, undecided))
    return [
        Evaluator(predict, sampler, episodes, "transductive", measure) for predict, measure in looks
    ]


def questions(data, config) -> list[Question]:
    """What is asked of every task: accuracy in both regimes, and of the first column the looks."""
    asked = []
    columns = images.parse_columns(config.columns)
    for column in columns:
        for regime in adaptation.REGIMES:
            measure = share("accuracy", f"{column.way}-way {column.shot}-shot")
            headline = column == columns[0] and regime == "support"
            about = _about(data, config, column)
            asked.append(Question(measure, {**about, "batch_norm": regime, "headline": headline}))
    loss = Measure("initial_loss", "loss before the inner steps")
    for measure in (loss, *NATS.values()):
        about = _about(data, config, columns[0])
        asked.append(Question(measure, {**about, "batch_norm": "transductive"}))
    return asked


def _about(data, config, column) -> dict:
    query = images.testing.queries(data, config, column)
    return {"way": column.way, "shot": column.shot, "query": query}


def answers(learner, tests, config) -> list[np.ndarray]:
    """Answers [task] to the questions, in their order."""
    found = [
        adaptation.evaluator(learner, sampler, config.test_episodes, regime).values()
        for sampler in tests.values()
        for regime in adaptation.REGIMES
    ]
    first = next(iter(tests.values()))
    looks = looks_of(learner, first, config.test_episodes)
    return [*found, *(look.values() for look in looks)]


def statistics(asked: list[Question]) -> list[Statistic]:
    """How unequal the tasks of a test are: losses before the inner steps, accuracy after them."""
    names = [question.measure.name for question in asked]
    return [
        Statistic(GINI, names.index("initial_loss"), lambda losses: float(gini(losses))),
        Statistic(SPREAD, 0, lambda accuracy: float(accuracy.std())),
    ]


def conditions(data, config) -> dict:
    """What is the same in all rows."""
    split = images.TEST_SPLIT[config.train_split]
    return {
        "data": data.name,
        "seed": config.seed,
        "generated": data.generated,
        "split": split,
    }


def check(config) -> None:
    """Refuse what a term cannot be computed of.

    Raises:
        ConfigError: one task has no inequality.
    """
    unequal = [term for term in terms_of(config) if term != "entropy"]
    if unequal and config.tasks < 2:
        raise ConfigError(
            f"--terms {unequal[0]} compares the tasks of a step, and --tasks {config.tasks} gives "
            "it one; take two or more, the paper has 32."
        )


def draw(run: RunFolder, histories, found, asked) -> None:
    """Inequality and entropy over training, spread of accuracy, and the differences."""
    metrics = {
        "inequality": "Gini of validation losses\nbefore the inner steps",
        "entropy_before entropy_after": "entropy of predictions, nats",
        "accuracy": "accuracy on validation classes",
    }
    run.figure("courses", pair_plots.courses(histories, metrics))
    run.figure("spread", pair_plots.spread(found, asked[0], 0))
    shown = [k for k, question in enumerate(asked) if question.measure.name == "accuracy"]
    run.figure("compared", pair_plots.compared(found, asked, shown[:2]))


if __name__ == "__main__":
    script.run(main)
