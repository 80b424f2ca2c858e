"""Task-agnostic meta-learning on sine curves: no curve is better off from the start, beside MAML.

python -m chapters.ch09_frontiers.train_taml_sine                 # Theil's index, one pair
python -m chapters.ch09_frontiers.train_taml_sine --preset paper  # all measures, five seeds

Every network of a comparison has a run folder of its own below that of the run; with ``--resume``
those that are finished are kept.
"""

import dataclasses

import keras

from chapters.ch09_frontiers import maml, networks, pair_plots, pairs, taml
from chapters.ch09_frontiers.inequality import gini
from chapters.ch09_frontiers.losses import ERRORS
from chapters.ch09_frontiers.pairs import Question, Statistic
from chapters.ch09_frontiers.presets import SCRIPTS, TERM_NAMES, terms_of
from chapters.ch09_frontiers.train_taml import GINI, MAML, check
from chapters.engine import configuration, script
from chapters.engine.errors import ConfigError
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.results import after_steps
from chapters.engine.runs import RunFolder
from chapters.experiments import sine
from chapters.experiments.options import shown_steps
from chapters.experiments.sine.testing import MEASURE


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_taml_sine"], argv)
    check(config)
    check_curves(config)
    device = script.prepare(config.seed)
    run = RunFolder.open(config, __spec__.name, device)
    print(f"Device: {device}. Run folder: {run.path}.", sine.describe(config), sep="\n")

    # MAML and TAML in pairs: one seed has the same first weights and curves for all.
    names = [MAML, *(TERM_NAMES[term] for term in terms_of(config))]
    trained = {name: [] for name in names}
    for number in range(config.seeds):
        for name, term in zip(names, ["", *terms_of(config)], strict=True):
            trained[name].append(train(name, term, config.seed + number, config, run))
    learner, loop, _ = trained[names[1]][0]  # stands for the run: chosen by its number
    run.weights(learner)

    # Test: the same curves for both of a pair, and the mean of the differences.
    asked = questions(config)
    found = pairs.stacked({name: [one[2] for one in of] for name, of in trained.items()})
    print(pairs.table(found, asked))
    initial = [Statistic(GINI, shown_steps(config).index(0), lambda losses: float(gini(losses)))]
    conditions = {"data": f"sine curves ({config.curves})", "seed": config.seed, "tested": "tasks"}
    rows = pairs.rows(found, asked, initial, [MAML], **conditions)
    seconds = sum(loop.seconds for of_name in trained.values() for _, loop, _ in of_name)
    run.metrics(names[1], rows, learner, loop, seconds)

    histories = {name: [one[1].history for one in of_name] for name, of_name in trained.items()}
    metrics = {"inequality": "Gini of losses before\nthe inner steps", "error": "error after them"}
    run.figure("courses", pair_plots.courses(histories, metrics))
    run.figure("error_by_steps", pair_plots.error_by_steps(found, asked, shown_steps(config)))
    run.figure("compared", pair_plots.compared(found, asked, [0, len(asked) - 1]))
    print(f"Weights, metrics and pictures are in {run.path}.")
    _, _, test = sine.samplers(config)
    export_run(run, {"serve": (adapt_and_predict(learner, strict=True), first_task(test(0)[0]))})


def train(name: str, term: str, seed: int, config, run: RunFolder):
    """One network: the learner, its loop, and its answers to all questions [question] [curve]."""
    config = dataclasses.replace(config, seed=seed)
    run = run.sub(f"seed-{seed}-{term or 'maml'}")
    keras.utils.set_random_seed(seed)
    training, validation, test = sine.samplers(config)
    learner = build_learner(config)
    optimizer = sine.outer_optimizer(config, learner.trainable_variables)
    weight = config.weight if term else 0.0
    mapping = sine.mapping(config)
    step = taml.train_step(learner, optimizer, mapping, term, weight, config.adapted)
    print(f"\n{name}, seed {seed}:", flush=True)
    loop = sine.loop(step, learner, optimizer, training, validation, run, config)
    initial = sine.error_after(learner, validation, 0, sine.tasks.VALIDATION_TASKS)
    error = loop.validate
    loop.validate = lambda: {**error(), "inequality": float(gini(initial.values()))}
    loop()

    def answers():
        return [
            sine.error_after(learner, test, steps, config.test_tasks).values()
            for steps in shown_steps(config)
        ]

    return learner, loop, pairs.kept(run, answers)


def questions(config) -> list[Question]:
    """What is asked of every curve: the error after each of the numbers of steps."""
    shown, measure = shown_steps(config), MEASURE[config.objective]
    about = {"shot": config.test_shot, "query": sine.TEST_QUERY}
    return [
        Question(after_steps(measure, steps), {**about, "headline": steps == max(shown)})
        for steps in shown
    ]


def build_learner(config):
    """The learner of the options, not trained; MAML's."""
    return maml.MAML(
        networks.sine_network(config),
        ERRORS[config.objective],
        config.inner_rate,
        config.inner_steps,
        config.test_steps,
        config.first_order,
    )


def check_curves(config) -> None:
    """Refuse what curves have not.

    Raises:
        ConfigError: entropy of values, or no test before the inner steps.
    """
    if "entropy" in terms_of(config):
        raise ConfigError(
            "--terms entropy is of predicted classes, and curves have none; take inequality: "
            "gini, theil, variance_of_logarithms, generalised_entropy or atkinson."
        )
    if 0 not in shown_steps(config):
        raise ConfigError(
            f"--shown-steps {config.shown_steps} lacks 0: inequality is measured on the "
            "errors before any inner step."
        )


if __name__ == "__main__":
    script.run(main)
