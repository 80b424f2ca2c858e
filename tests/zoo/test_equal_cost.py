"""Learners at equal cost: as many tasks, the same test, and tables that follow from answers."""

import json

import numpy as np
import pytest
from scipy import stats

from chapters.__main__ import scripts
from chapters.engine import configuration
from zoo.equal_cost import __main__ as command
from zoo.equal_cost import asking, methods, page, records
from zoo.equal_cost.methods import METHODS, PROTOCOLS, Protocol, words_of
from zoo.equal_cost.records import Training
from zoo.errors import ZooError

SCRIPTS = dict(scripts())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_learner_sees_as_many_tasks_and_has_the_same_test(protocol, method):
    words = words_of(protocol, method, 3)
    options = configuration.parse(SCRIPTS[words[0]], words[1:])
    common = PROTOCOLS[protocol]
    assert options.steps * options.tasks == common.tasks and options.seed == 3
    for name in ("way", "columns", "test_query", "test_episodes"):
        assert getattr(options, name) == common.options[name]
    assert options.train_split == "train" and options.data == common.options.get("data", "omniglot")
    assert getattr(options, "filters", 64) == getattr(options, "h_dim", 64) == 64
    if method != "Reptile":  # which has no queries
        assert (options.shot, options.query) == (1, common.options["query"])


@pytest.mark.parametrize("method", METHODS)
def test_each_learner_is_the_one_it_is_called(method):
    """A preset that is renamed or changed must not put another learner into a line."""
    words = words_of("omniglot-5way", method, 0)
    options = configuration.parse(SCRIPTS[words[0]], words[1:])
    found = {
        "MAML": lambda: (options.method, options.first_order) == ("maml", False),
        "FOMAML": lambda: (options.method, options.first_order) == ("maml", True),
        "ANIL": lambda: options.method == "anil",
        "CAML": lambda: options.method == "caml",
        "ADML": lambda: options.method == "adml",
        "Meta-SGD": lambda: (options.method, options.first_order) == ("meta_sgd", False),
        "Reptile": lambda: options.method == "reptile",
        "GA-MAML": lambda: (options.base, options.agreement) == ("maml", True),
        "prototypical network": lambda: words[0].endswith("ch03_prototypical.train"),
    }
    assert found[method]()


def test_a_share_shortens_training_validation_and_test():
    words = words_of("omniglot-5way", "CAML", 0, share=0.01)
    options = configuration.parse(SCRIPTS[words[0]], words[1:])
    assert (options.steps, options.validation_episodes, options.test_episodes) == (238, 2, 6)


def made_up(rng, regimes, episodes=40, seconds=90.0):
    course = {
        "tasks": np.array([8.0, 16.0]), "seconds": np.array([40.0, 90.0]),
        "accuracy": np.array([0.5, 0.75]),
    }  # fmt: skip
    answers = {
        f"{column} {regime}": rng.integers(0, 26, episodes) / 25
        for column in ("5w1s", "5w5s")
        for regime in regimes
    }
    return Training("python -m chapters.somewhere", 16, seconds, course, answers)


@pytest.fixture
def known():
    rng = np.random.default_rng(0)
    both, stored = ("support", "transductive"), ("stored",)
    return {
        "MAML": {seed: made_up(rng, both) for seed in range(3)},
        "CAML": {seed: made_up(rng, both) for seed in (1, 2)},
        "prototypical network": {0: made_up(rng, stored)},
    }


def test_what_is_kept_is_what_is_read(known, tmp_path):
    path = records.path_of("omniglot-5way", tmp_path / "new")
    records.write(path, known)
    again = records.read(path)
    assert list(again) == list(known)
    for method, by_seed in known.items():
        assert list(again[method]) == list(by_seed)
        for seed, one in by_seed.items():
            found = again[method][seed]
            assert (found.command, found.tasks, found.seconds) == one[:3]
            for kept, given in ((found.course, one.course), (found.answers, one.answers)):
                assert list(kept) == list(given)
                for name, values in given.items():
                    np.testing.assert_allclose(kept[name], values, rtol=1e-5)
    assert records.read(tmp_path / "none.json") == {}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: {"MAMA": found["MAML"]},
        lambda found: {"MAML": {"first": found["MAML"]["0"]}},
        lambda found: {"MAML": {"0": {}}},
        lambda found: {"MAML": {"0": {**found["MAML"]["0"], "answers": {"5w1s support": "one"}}}},
        lambda found: {"MAML": {"0": {**found["MAML"]["0"], "course": {"tasks": "1 2"}}}},
        lambda found: {"MAML": {"0": {**found["MAML"]["0"], "seconds": "90"}}},
    ],
)
def test_a_broken_record_is_one_sentence(spoil, known, tmp_path):
    path = tmp_path / "omniglot-5way.json"
    records.write(path, known)
    path.write_text(json.dumps(spoil(json.loads(path.read_text()))))
    with pytest.raises(ZooError, match="does not hold what trainings leave; restore it") as caught:
        records.read(path)
    assert "\n" not in str(caught.value)


def test_cells_are_means_with_intervals_over_seeds_or_over_tasks(known):
    lines = page.table("omniglot-5way", known).splitlines()
    cells = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ") for line in lines[2:]}
    assert list(cells) == list(known)
    means = 100 * np.array([one.answers["5w1s support"].mean() for one in known["MAML"].values()])
    half = stats.t.ppf(0.975, 2) * means.std(ddof=1) / np.sqrt(3)
    assert cells["MAML"][1] == f"{means.mean():.2f} ± {half:.2f}"
    alone = 100 * known["prototypical network"][0].answers["5w5s stored"]
    half = 1.96 * alone.std(ddof=1) / np.sqrt(len(alone))
    assert cells["prototypical network"][3] == f"{alone.mean():.2f} ± {half:.2f}"
    assert cells["prototypical network"][2] == cells["prototypical network"][4] == "-"
    assert cells["CAML"][-3:] == ["2", "16", "2"] and cells["MAML"][5] == "-"


def test_differences_are_of_the_same_seeds_and_tasks(known):
    lines = page.table("omniglot-5way", known).splitlines()
    cells = next(line for line in lines if line.startswith("| CAML")).strip("| ").split(" | ")
    own, other = (
        [known[name][seed].answers["5w5s support"] for seed in (1, 2)] for name in ("CAML", "MAML")
    )
    apart = [100 * (a - b).mean() for a, b in zip(own, other, strict=True)]
    half = stats.t.ppf(0.975, 1) * np.std(apart, ddof=1) / np.sqrt(2)
    assert cells[6] == f"{np.mean(apart):+.2f} ± {half:.2f}"


def test_the_page_is_written_from_what_is_recorded():
    known = {name: records.read(records.path_of(name)) for name in PROTOCOLS}
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.generate(text, known) == text
    assert [match[2] for match in page.BLOCK.finditer(text)] == list(PROTOCOLS)
    for name, found in known.items():
        assert page.picture_of(name).is_file() == bool(found)
        for method, by_seed in found.items():
            for seed, one in by_seed.items():
                assert one.command == f"python -m {' '.join(words_of(name, method, seed))}"


def test_the_picture_has_a_line_for_each_learner(known):
    figure = page.draw(known)
    for axis in figure.axes:
        assert [line.get_label() for line in axis.lines] == list(known)
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xdata(), [0.008, 0.016])
    np.testing.assert_allclose(figure.axes[1].lines[0].get_xdata(), [40 / 60, 1.5])


@pytest.fixture
def little(monkeypatch):
    """A protocol on generated characters, a few steps long."""
    options = {
        **methods.FIVE_WAY, "data": "strokes", "tasks": 2, "steps_per_epoch": 2,
        "validation_episodes": 4, "test_episodes": 6, "test_query": 3, "columns": "5w1s",
    }  # fmt: skip
    for module in (methods, command, page):
        monkeypatch.setitem(module.PROTOCOLS, "strokes-5way", Protocol("Strokes", 8, options))


def test_trainings_are_recorded_once_and_go_on_where_they_were(little, tmp_path, capsys):
    names = ("MAML", "prototypical network")
    for method in names:
        known = command.one("strokes-5way", method, 0, 1.0, tmp_path / "runs", tmp_path)
    assert list(known) == list(names)
    for one, regimes in ((known["MAML"][0], 2), (known["prototypical network"][0], 1)):
        assert (
            one.tasks == 8
            and one.course["tasks"].tolist() == [4, 8]
            and len(one.answers) == regimes
        )
    capsys.readouterr()
    again = command.one("strokes-5way", "MAML", 0, 1.0, tmp_path / "runs", tmp_path)
    assert "MAML, seed 0: recorded" in capsys.readouterr().out
    assert again["MAML"][0].seconds == known["MAML"][0].seconds

    # The answers are those of the run's own test, task by task.
    run = tmp_path / "runs/MAML-seed-0"
    rows = json.loads((run / "metrics.json").read_text())["results"]
    for regime in ("support", "transductive"):
        expected = next(
            row["mean"] for row in rows if row["method"] == "MAML" and row["batch_norm"] == regime
        )
        assert known["MAML"][0].answers[f"5w1s {regime}"].mean() == pytest.approx(expected)


def test_all_learners_are_asked_the_same_tasks(little, tmp_path, monkeypatch):
    seen, real = [], asking.images.test_sampler

    def noted(data, config, column, tasks=1):
        sampler = real(data, config, column, tasks)
        seen.append(sampler.episode(0).class_ids.numpy().tolist())
        return sampler

    monkeypatch.setattr(asking.images, "test_sampler", noted)
    for seed, method in ((0, "MAML"), (5, "prototypical network")):
        words = words_of("strokes-5way", method, seed)
        options = configuration.parse(SCRIPTS[words[0]], words[1:])
        monkeypatch.setattr(asking.adaptation, "evaluator", lambda *given: Silent())
        monkeypatch.setattr(asking, "Evaluator", lambda *given: Silent())
        learner = Adapting() if method == "MAML" else object()
        asking.answers(learner, options)
    assert seen[0] == seen[-1]


class Silent:
    """An evaluator that is not asked."""

    def values(self):
        return np.zeros(1)


class Adapting:
    """A learner as far as ``answers`` looks at it."""

    def adapt(self):
        """Not called."""


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["omniglot"], "'omniglot' is no protocol .did you mean 'omniglot-5way'"),
        (["emoji-5way", "--methods", "MAMA"], "'MAMA' is no method"),
    ],
)
def test_unknown_names_are_one_sentence(argv, sentence):
    with pytest.raises(ZooError, match=sentence):
        command.main(argv)


def test_a_training_that_fails_stops_the_rest(little, tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "MAML", METHODS["MAML"]._replace(five_way="no_such_preset"))
    with pytest.raises(ZooError, match="The training of MAML ended with exit code 2"):
        command.one("strokes-5way", "MAML", 0, 1.0, tmp_path / "runs", tmp_path)
    assert not (tmp_path / "strokes-5way.json").exists()
