"""Tests of learned optimizers: fresh problems, and hand-made rules with rates of their own.

What counts is the mean logarithm of the loss after the last step: of the losses themselves the mean
would be that of the few hardest problems.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from chapters.ch01_learned_optimizers.hand_made import RULES
from chapters.ch01_learned_optimizers.presets import LearnedConfig
from chapters.ch01_learned_optimizers.problems import DigitNetworks, Quadratics
from chapters.ch01_learned_optimizers.search import Tuned, logarithm, tune
from chapters.ch01_learned_optimizers.unroll import trajectory
from chapters.engine.evaluation import Conditions, interval95
from chapters.engine.results import MINUS, Measure, Result, interval95_of_runs
from chapters.experiments.options import counts, rates

NAMES = {"lstm": "LSTM optimizer", "rnnprop": "RNNprop"}
DATA = {"quadratics": "random quadratics", "digits": "networks on 8 x 8 digits"}
MONITOR = "val_final_loss"  # in the log of a training: decides which weights are kept
RIVAL = "Adam"  # whose difference from what was learned is a row of its own
# Added to the seed: problems that were not trained on.
OFFSET = {"train": 0, "val": 1_000_000, "test": 2_000_000}
# Kinds of networks on digits, of which the first is trained on.
NETWORKS = {
    "sigmoid 20": {},
    "ReLU 20": {"activation": "relu"},
    "sigmoid 40": {"hidden": (40,)},
    "sigmoid 20-20": {"hidden": (20, 20)},
}


class Test(NamedTuple):
    """A kind of problem, and how many steps are taken."""

    kind: str
    options: dict  # of the problems
    steps: int

    @property
    def label(self) -> str:
        """In words."""
        return f"{self.kind}, {self.steps} steps"

    @property
    def measure(self) -> Measure:
        """log10 of the loss after the last step."""
        name = self.label.lower().replace(",", "").replace(" ", "_").replace("-", "_")
        return Measure(f"log10_loss_{name}", f"log10 loss, {self.label}", digits=2)


class Found(NamedTuple):
    """What a test found."""

    loss: dict[str, np.ndarray]  # method -> [time, problem]
    tuned: dict[str, Tuned]  # hand-made rule -> its rate


def tests_of(config: LearnedConfig) -> list[Test]:
    """The tests of the options: all numbers of steps on what was trained on, others with the first.

    The first test is the headline.
    """
    steps = counts(config.test_steps, "--test-steps")
    if config.problem == "quadratics":
        return [Test("10 dimensions", {}, number) for number in steps]
    own, *others = NETWORKS.items()
    found = [Test(*own, number) for number in steps]
    return found + [Test(*other, steps[0]) for other in others]


def problems(config: LearnedConfig, split: str, count: int, seed: int, **options):
    """A sampler of ``count`` problems of a key of ``OFFSET``."""
    seed += OFFSET[split]
    if config.problem == "quadratics":
        return Quadratics(count, seed=seed, **options)
    return DigitNetworks(count, split=split, seed=seed, **options)


def describe(config: LearnedConfig) -> str:
    """What is learned on what, before it starts."""
    seen = f"{config.problems} {DATA[config.problem]}"
    return (
        f"Learning: {NAMES[config.method]}, {config.depth} x {config.units} units, from runs of "
        f"{config.run_steps} steps on {seen}, unrolled {config.unroll} at a time; {config.steps} "
        "runs."
    )


def validation(rule, config: LearnedConfig, seed: int):
    """A function that gives the mean log10 of the loss after a run, on problems set aside."""
    problem = problems(config, "val", config.validation_problems, seed)
    data = problem(0)

    @tf.function(jit_compile=True, autograph=False)
    def final(data):
        return trajectory(rule, problem, data, config.run_steps)[-1]  # [problem]

    return lambda: {"final_loss": float(logarithm(final(data)).mean())}


def best_validation(history: list[dict[str, float]]) -> float:
    """Of a training's log: what the weights that were kept have."""
    return min(epoch[MONITOR] for epoch in history)


def run_tests(rule, config: LearnedConfig, seed: int) -> list[Found]:
    """The rule in every test, beside hand-made ones."""
    return [_run_test(test, rule, config, seed) for test in tests_of(config)]


def _run_test(test: Test, rule, config: LearnedConfig, seed: int) -> Found:
    training = problems(config, "train", config.search_problems, seed, **test.options)
    tuned = tune(training, rates(config.rates, "--rates"), test.steps)
    methods = {NAMES[config.method]: rule}
    methods |= {name: RULES[name](found.rate) for name, found in tuned.items()}
    fresh = problems(config, "test", config.test_problems, seed, **test.options)
    return Found(losses_of(methods, fresh, test.steps), tuned)


def losses_of(methods: dict, problem, steps: int) -> dict[str, np.ndarray]:
    """Method -> its losses [time, problem] on batch 0 of a problem, all in one graph."""

    @tf.function(jit_compile=True, autograph=False)
    def losses(data):
        return {name: trajectory(rule, problem, data, steps) for name, rule in methods.items()}

    return {name: loss.numpy() for name, loss in losses(problem(0)).items()}


def final(found: Found) -> dict[str, np.ndarray]:
    """Method -> log10 of the last loss [problem]; and of the learned one minus that of Adam."""
    last = {name: logarithm(loss[-1]) for name, loss in found.loss.items()}
    learned = next(iter(last))
    if RIVAL not in last:
        return last
    return last | {f"{learned}{MINUS}{RIVAL}": last[learned] - last[RIVAL]}


def summary(several: list[np.ndarray]) -> tuple[float, float]:
    """Mean and interval: over seeds where there are several, over problems otherwise."""
    means = [float(values.mean()) for values in several]
    interval = interval95_of_runs(means) if len(means) > 1 else interval95(several[0])
    return float(np.mean(means)), interval


def rows(tests: list[Test], found: list[list[Found]], config: LearnedConfig) -> list[dict]:
    """Rows of ``metrics.json``: every method in every test.

    Args:
        tests: in their order.
        found: of each seed, in that order.
        config: options of the run.
    """
    lines = []
    for number, test in enumerate(tests):
        by_seed = [final(of_seed[number]) for of_seed in found]
        for method in by_seed[0]:
            several = [values[method] for values in by_seed]  # [seed] [problem]
            mean, interval = summary(several)
            row = Result(
                method=method,
                measure=test.measure,
                mean=mean,
                interval=interval,
                data=DATA[config.problem],
                seed=config.seed,
                tested="problems",
                episodes=config.test_problems,
                runs=len(several) if len(several) > 1 else None,
                headline=number == 0,
                rival=MINUS not in method,
            ).row()
            values = {"values": [float(x.mean()) for x in several]} if len(several) > 1 else {}
            lines.append({**row, **values})
    return lines


def rates_found(tests: list[Test], found: list[list[Found]]) -> dict[str, dict[str, list[float]]]:
    """Test -> hand-made rule -> its rate in every seed, for ``metrics.json``."""
    return {
        test.label: {
            name: [of_seed[number].tuned[name].rate for of_seed in found] for name in RULES
        }
        for number, test in enumerate(tests)
    }


def table(tests: list[Test], found: list[list[Found]]) -> str:
    """Every method in every test as text, with the rates of hand-made ones (of the first seed)."""
    over = f"{len(found)} seeds" if len(found) > 1 else "fresh problems"
    lines = [f"\nMean log10 of the loss, 95 % interval over {over}, lower is better:"]
    for number, test in enumerate(tests):
        by_seed = [final(of_seed[number]) for of_seed in found]
        tuned = found[0][number].tuned
        width = max(map(len, by_seed[0])) + 2
        lines += ["", f"{test.label}:"]
        for method in by_seed[0]:
            mean, interval = summary([values[method] for values in by_seed])
            line = f"  {method.ljust(width)}{f'{mean:.2f} +- {interval:.2f}':>15}"
            lines.append(line + _rate(tuned.get(method)))
    return "\n".join(lines) + "\n"


def _rate(tuned: Tuned | None) -> str:
    """The rate of a hand-made rule in words; it says when a better one may lie beyond the grid."""
    if tuned is None:
        return ""
    return f"   rate {tuned.rate:g}{', an end of --rates' if tuned.edge else ''}"


def evaluate(rule, config: LearnedConfig, given: Conditions) -> list[dict]:
    """Rows of every test of the run, as asked: ``episodes`` is the number of problems.

    Raises:
        ConfigError: what is asked does not fit problems.
    """
    given.check("problems have no classes", way=(), shot=(), query=(), batch_norm=())
    config = dataclasses.replace(config, seed=given.seed, test_problems=given.episodes, seeds=1)
    tests, found = tests_of(config), []
    for test in tests:
        fresh = problems(config, "test", given.episodes, given.seed, **test.options)
        methods = {NAMES[config.method]: rule}
        found.append(Found(losses_of(methods, fresh, test.steps), {}))
    return rows(tests, [found], config)


def picture(rule, config: LearnedConfig, width: float):
    """What the rule does to gradients, at most ``width`` inches wide."""
    from chapters.ch01_learned_optimizers import plots

    return plots.updates(rule, width)
