"""Attack adapted networks: accuracy on clean and on adversarial queries, MAML beside ADML.

python -m chapters.ch06_maml.attack                           # the published networks
python -m chapters.ch06_maml.attack --maml RUN --adml RUN     # run folders of train_omniglot

Each network adapts to a clean support set; its queries are then attacked through the adapted
weights, with FGSM and with PGD, ever more strongly.
"""

import dataclasses
import itertools
import json
from pathlib import Path

from chapters.ch06_maml import plots, train_omniglot
from chapters.ch06_maml.adversarial import fgsm, pgd
from chapters.ch06_maml.presets import SCRIPTS, OmniglotConfig, strengths
from chapters.engine import configuration, script
from chapters.engine.errors import RunError
from chapters.engine.evaluation import Evaluator
from chapters.engine.results import Result, share
from chapters.engine.runs import RunFolder
from chapters.experiments import images

ATTACKS = {"fgsm": fgsm, "pgd": pgd}


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["attack"], argv)
    epsilons = strengths(config.epsilons)
    device = script.prepare(config.seed)
    runs = {"MAML": Path(config.maml), "ADML": Path(config.adml)}
    options = {name: options_of(run) for name, run in runs.items()}
    where = {"data_root": config.data_root, "offline": config.offline}
    data, _ = images.load(dataclasses.replace(options["MAML"], **where))
    learners = {name: trained(runs[name], options[name], name) for name in runs}
    folder = RunFolder.open(config, __spec__.name, device)
    print(f"Device: {device}. Run folder: {folder.path}.")

    print("accuracy in % at epsilon".ljust(26) + "".join(f"{e:8g}" for e in epsilons))
    rows, curves = [], {}
    for name, attack in itertools.product(learners, ATTACKS):
        learner, made = learners[name], options[name]
        scores = [robustness(learner, made, data, attack, e, config) for e in epsilons]
        pairs = zip(epsilons, scores, strict=True)
        rows += [row(name, attack, epsilon, score, made, data) for epsilon, score in pairs]
        curves[name, attack] = [score.mean for score in scores]
        cells = "".join(f"{100 * score.mean:8.1f}" for score in scores)
        print(f"{name}, {attack}".ljust(26) + cells, flush=True)
    folder.json("metrics.json", {"results": rows, "train_seconds": 0.0})
    folder.figure("robustness", plots.robustness(epsilons, curves))
    task, ink = images.example(data, options["MAML"], query=1), images.is_ink(options["MAML"])
    folder.figure("attacked", plots.attacked(learners, task, config.shown_epsilon, ink))
    print(f"Metrics and pictures are in {folder.path}.")


def robustness(learner, options, data, attack: str, epsilon: float, config):
    """Honest score on queries that are attacked through the adapted weights."""
    _, _, tests = images.samplers(data, options, options.way)
    tests = next(iter(tests.values()))

    def sampler(index):
        inputs, query_y = tests(index)
        return {**inputs, "query_y": query_y}, query_y

    sampler.tasks, sampler.seed = tests.tasks, tests.seed

    def predict(inputs):
        weights = learner.adapt(inputs["support_x"], inputs["support_y"])

        def classify(x):
            return learner.predict_with(weights, x, inputs["support_x"])

        query_x = inputs["query_x"]
        if epsilon > 0:
            query_x = ATTACKS[attack](
                classify, learner.objective, query_x, inputs["query_y"], epsilon
            )
        return classify(query_x)

    return Evaluator(predict, sampler, config.episodes, "support")()


def options_of(run: Path) -> OmniglotConfig:
    """Options of a finished run of ``train_omniglot``.

    Raises:
        RunError: the folder holds none.
    """
    try:
        saved = json.loads((run / "config.json").read_text(encoding="utf-8"))
        if saved.pop("script") != "chapters.ch06_maml.train_omniglot":
            raise ValueError("it was made by another script")
        return OmniglotConfig(**saved)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{run} holds no finished run of train_omniglot ({error}); train one first, with "
            "--method maml and with --method adml."
        ) from error


def trained(run: Path, options: OmniglotConfig, name: str):
    """The learner of a run with its weights.

    Raises:
        RunError: another method, or weights are missing or do not fit.
    """
    if options.method != name.lower():
        raise RunError(f"{run} is a run of {options.method}, expected one of {name.lower()}.")
    learner = train_omniglot.build_learner(options)
    try:
        learner.load_weights(run / "model.weights.h5")
    except (OSError, ValueError) as error:
        raise RunError(f"{run} has no weights that fit its options ({error}).") from error
    return learner


def row(name, attack, epsilon, score, options, data) -> dict:
    """One line of ``metrics.json``."""
    column = images.parse_columns(options.columns)[0]
    return Result(
        method=f"{name}, {attack.upper()} queries",
        measure=share(f"accuracy_at_epsilon_{epsilon:g}", f"accuracy at epsilon {epsilon:g}"),
        data=data.name,
        generated=data.generated,
        shot=column.shot,
        query=options.test_query,
        **score._asdict(),
    ).row()


if __name__ == "__main__":
    script.run(main)
