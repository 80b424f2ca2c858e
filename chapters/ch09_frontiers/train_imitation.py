"""Meta-imitation: an arm does what one demonstration shows, with colours it has never seen.

python -m chapters.ch09_frontiers.train_imitation                    # numbers, two minutes
python -m chapters.ch09_frontiers.train_imitation --preset pictures  # it sees small pictures
python -m chapters.ch09_frontiers.train_imitation --preset watched   # another arm shows it (DAML)

Every policy of a comparison has a run folder of its own below that of the run; with ``--resume``
those that are finished are kept.
"""

import dataclasses
from typing import NamedTuple

import keras
import numpy as np

from chapters.ch09_frontiers import conditioned, imitation, pair_plots, pairs, visuomotor
from chapters.ch09_frontiers.pairs import Question
from chapters.ch09_frontiers.presets import POLICY_NAMES, SCRIPTS, beside_of
from chapters.engine import configuration, script
from chapters.engine.errors import ConfigError
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.runs import RunFolder
from chapters.experiments import imitation as arms
from chapters.experiments.options import outer_rate, widths


class Learned(NamedTuple):
    """What is kept of a training; its policy and compiled steps are large."""

    history: list[dict]
    seconds: float
    answers: list[np.ndarray]  # [question] [task]


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_imitation"], argv)
    check(config)
    device = script.prepare(config.seed)
    run = RunFolder.open(config, __spec__.name, device)
    print(f"Device: {device}. Run folder: {run.path}.", arms.describe(config), sep="\n")

    # Policies with the same parts learn from the same demonstrations, seed by seed. None is paid.
    kinds = [*beside_of(config), "mil"]
    learned = {POLICY_NAMES[kind]: [] for kind in kinds}
    shown = {}  # policies of the first seed, which stand for the run: chosen by its number
    for seed in range(config.seed, config.seed + config.seeds):
        for kind in kinds:
            policy, loop, answers = train(kind, seed, config, run)
            learned[POLICY_NAMES[kind]].append(Learned(loop.history, loop.seconds, answers))
            if seed == config.seed:
                shown[POLICY_NAMES[kind]] = policy, loop
    name = POLICY_NAMES["mil"]
    policy, loop = shown[name]
    run.weights(policy)

    # Test: colours never seen, the same tasks for all, and differences to the first.
    asked = [Question(*one) for one in arms.questions()]
    found = pairs.stacked({who: [one.answers for one in of] for who, of in learned.items()})
    print(pairs.table(found, asked))
    rows = pairs.rows(found, asked, [], list(found), **arms.about(config))
    seconds = {who: sum(one.seconds for one in of) for who, of in learned.items()}
    run.metrics(name, rows, policy, loop, sum(seconds.values()), seconds_of=seconds)

    histories = {who: [one.history for one in of] for who, of in learned.items()}
    run.figure("courses", pair_plots.courses(histories, {"success": "touches what was shown"}))
    run.figure("compared", pair_plots.compared(found, asked, [0, 1]))
    first = {who: policy for who, (policy, _) in shown.items()}
    run.figure("imitation", arms.pictures.imitation(first, config))
    run.film("imitation", arms.pictures.film(policy, config))
    print(f"Weights, metrics and pictures are in {run.path}.")
    example, _ = arms.sampler(config, arms.TEST, 1)(0)
    export_run(run, {"serve": (adapt_and_predict(policy, strict=True), first_task(example))})


def check(config) -> None:
    """Refuse what shows nothing.

    Raises:
        ConfigError: an arm that is only watched, and no picture of it.
    """
    if config.shown_by == "other" and config.sight != "pictures":
        raise ConfigError(
            "--shown-by other is a film of another arm, which --sight numbers cannot show; take "
            "--sight pictures."
        )


def train(kind: str, seed: int, config, run: RunFolder):
    """One policy, the loop that trained it, and its answers [question] [task]."""
    config = dataclasses.replace(config, seed=seed)
    if kind != "mil":
        config = dataclasses.replace(config, steps=max(1, round(config.steps * config.longer)))
    run = run.sub(f"seed-{seed}-{kind}")
    keras.utils.set_random_seed(seed)
    policy = build(kind, config)
    optimizer = keras.optimizers.Adam(outer_rate(config))
    optimizer.build(policy.trainable_variables)
    training, validation = arms.samplers(config)
    step = imitation.train_step(policy, optimizer)
    print(f"\n{POLICY_NAMES[kind]}, seed {seed}:", flush=True)
    loop = arms.loop(step, policy, optimizer, training, validation, run, config)
    loop()
    return policy, loop, pairs.kept(run, lambda: arms.answers(policy, config))


def build_learner(config):
    """The policy of meta-imitation of the options, not trained."""
    return build("mil", config)


def build(kind: str, config):
    """A policy, not trained: a key of ``POLICY_NAMES``."""
    world, _ = arms.make_worlds(config, arms.TRAINING)
    seen = world.side, world.observation
    eyes = visuomotor.make_eyes(*seen, config.filters, config.eyes)
    features, hidden = eyes.output_shape[-1], widths(config.hidden, "--hidden")
    more = {"cloned": 0, "conditioned": features, "lstm": hidden[-1], "mil": config.bias}[kind]
    control = visuomotor.make_control(features + more, hidden)
    head = visuomotor.make_head(hidden[-1], world.actions)
    parts = eyes, control, head, config.horizon
    if kind == "cloned":
        return conditioned.ClonedPolicy(*parts)
    if kind == "conditioned":
        return conditioned.ConditionedPolicy(*parts)
    if kind == "lstm":
        read = conditioned.make_reader(features, world.actions, config.horizon, hidden[-1])
        return conditioned.RecurrentPolicy(*parts, read)
    judge = None
    if config.inner == "learned":
        judge = imitation.TemporalLoss(hidden[-1])
    elif config.two_heads:
        judge = visuomotor.make_head(hidden[-1], world.actions)
    return imitation.MetaImitation(
        *parts,
        judge,
        config.bias,
        config.inner_rate,
        config.inner_steps,
        config.clip,
        config.adapt_eyes,
        config.learn_rates,
    )


if __name__ == "__main__":
    script.run(main)
