"""Recorded commands run again: in part, after a kill, and against a false record."""

import csv
import importlib
import json
from types import SimpleNamespace

import pytest

from chapters.ch07_meta_sgd_reptile import train_toy
from chapters.engine import checkpoints
from chapters.engine.errors import RunError
from zoo import __main__ as command_line
from zoo import catalogue, reproducing
from zoo.errors import ZooError
from zoo.records import results, store
from zoo.reproducing import agreement, jobs, page, running, speed

TINY = ["--steps", "40", "--steps-per-epoch", "10", "--test-tasks", "20", "--shown-steps", "0,1"]
ALL = jobs.recorded([])


def row(mean, interval=0.01, **changes) -> dict[str, str]:
    usual = {
        "name": "n", "method": "MAML", "measure": "accuracy", "way": "5", "shot": "1",
        "batch_norm": "support", "mean": str(mean), "interval": str(interval), "label": "5-way",
        "unit": "%", "digits": "2",
    }  # fmt: skip
    return {**dict.fromkeys(results.COLUMNS, ""), **usual, **changes}


# --- which commands -------------------------------------------------------------------------------


@pytest.mark.parametrize("job", ALL, ids=lambda job: job.name)
def test_every_record_names_a_script_and_options_that_it_takes(job):
    config = job.options
    written = results.command({"script": job.script, **vars(config)}, 0)
    assert written.split()[2:] == [word for word in job.words if word != jobs.SPLITS]


def test_published_models_can_all_be_reproduced():
    assert {job.name for job in ALL} >= set(catalogue.list_models())


def test_an_unknown_name_is_told_with_the_closest_one():
    with pytest.raises(ZooError, match="maml-sine-5shots.*did you mean 'maml-sine-5shot'"):
        jobs.recorded(["maml-sine-5shots"])


def test_a_share_shortens_training_and_tests_alike():
    (job,) = jobs.recorded(["maml-sine-5shot"])
    assert jobs.shortened(job, 1) == job.words
    assert jobs.shortened(job, 0.1)[len(job.words) :] == [
        "--steps", "7000", "--test-tasks", "100",
    ]  # fmt: skip
    assert jobs.shortened(job, 1e-4)[-1] == "2"  # one task has no interval


@pytest.mark.parametrize("job", ALL, ids=lambda job: job.name)
def test_scripts_take_what_is_shortened(job):
    words = jobs.shortened(job, 0.1)
    short = jobs.Job(job.name, words, job.rows).options
    assert all(getattr(short, name, 0) <= getattr(job.options, name, 0) for name in jobs.LENGTHS)
    assert words != job.words


def test_splits_are_of_the_command_around_the_script():
    script, rest = "chapters.ch03_prototypical.train", ["--preset", "paper_1shot", "--splits", "3"]
    job = jobs.Job("leaves", [jobs.SPLITS, script, *rest], [])
    assert (job.script, job.options.preset) == (script, "paper_1shot")
    assert "--resume" not in running.command(job, job.words, store.FOLDER / "maml-sine-5shot")


# --- whether figures agree ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "agrees"),
    [
        (row(0.919, 0.01), True),
        (row(0.921, 0.01), False),
        (row(0.921, 0.02), True),
        (row(0.881, 0.01), True),
        (row(0.9, 0.01, measure="loss"), False),  # which is another figure: this one is missing
        (row(0.9, 0.01, way="20"), False),
    ],
)
def test_figures_agree_where_their_intervals_meet(found, agrees):
    (pair,) = agreement.pairs([row(0.9, 0.01)], [found])
    assert pair.agrees is agrees


def test_figures_without_an_interval_agree_to_the_digits_of_the_record():
    assert agreement.Pair(row(1 / 3, ""), row("0.333333", "")).agrees
    assert not agreement.Pair(row("0.333333", 0), row("0.333433", 0)).agrees


def test_a_figure_that_is_not_measured_any_more_is_told():
    (pair,) = agreement.pairs([row(0.9)], [])
    assert pair.cells() == ("90.00 ± 1.00", "missing")


# --- runs -----------------------------------------------------------------------------------------


@pytest.fixture
def here(monkeypatch) -> list[list[str]]:
    """Runs in this process, which has TensorFlow; the commands that were run."""
    ran = []

    def run(command):
        ran.append(command[2:])
        try:
            importlib.import_module(command[2]).main(command[3:])
        except RunError:
            return SimpleNamespace(returncode=2)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(running.subprocess, "run", run)
    return ran


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """The folder of a finished run that takes a second."""
    folder = tmp_path_factory.mktemp("toy") / "run"
    train_toy.main([*TINY, "--run", str(folder)])
    return folder


@pytest.fixture
def record(own_zoo, toy):
    """A record of that run, under two names."""
    for name in ("toy", "toy-again"):
        results.record(toy, name)
    return results.FILE


def test_what_is_reproduced_agrees_with_the_record(record, here, tmp_path, capsys):
    asked = ["reproduce", "toy", "toy-again", "--to", str(tmp_path / "again")]
    assert command_line.main(asked) == 0
    printed = capsys.readouterr().out
    assert printed.count("toy: agrees") == 1
    report = (tmp_path / "again" / reproducing.REPORT).read_text(encoding="utf-8")
    for recorded in results.read():
        assert agreement.Pair(recorded, recorded).cells()[0] in report
    assert report.count("data:image/png;base64") == 2
    assert "differs" not in report.partition("</style>")[2]

    assert len(here) == 2
    assert command_line.main(asked) == 0  # all of it is there
    assert len(here) == 2


def test_a_falsified_record_is_found_out(record, here, tmp_path, capsys):
    rows = results.read()
    rows[0]["mean"] = str(float(rows[0]["mean"]) + 3 * float(rows[0]["interval"]))
    with record.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, results.COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    assert command_line.main(["reproduce", rows[0]["name"], "--to", str(tmp_path / "again")]) == 1
    printed = capsys.readouterr().out
    assert f"1 of {len(rows) // 2} figures differ" in printed
    assert (
        "differs" in (tmp_path / "again" / reproducing.REPORT).read_text().partition("</style>")[2]
    )


def test_a_killed_reproduction_goes_on(record, here, tmp_path, monkeypatch, toy):
    save, count = checkpoints.save, []

    def killed(*args):
        save(*args)
        count.append(args)
        if len(count) == 2:
            raise KeyboardInterrupt

    asked = ["reproduce", "toy", "--to", str(tmp_path / "again")]
    monkeypatch.setattr(checkpoints, "save", killed)
    assert command_line.main(asked) == 130
    assert not (tmp_path / "again" / "toy" / "metrics.json").exists()

    assert command_line.main(asked) == 0
    assert "--resume" in here[-1]
    assert len(count) == 4  # epochs: none was trained twice
    again = json.loads((tmp_path / "again" / "toy" / "metrics.json").read_text())
    assert again["results"] == json.loads((toy / "metrics.json").read_text())["results"]


def test_a_run_that_fails_is_told_and_the_others_go_on(record, here, tmp_path, capsys):
    folder = tmp_path / "again" / "toy"
    folder.mkdir(parents=True)
    (folder / "stranger.txt").write_text("not a run")
    assert command_line.main(["reproduce", "--to", str(tmp_path / "again")]) == 1
    printed = capsys.readouterr().out
    assert "toy: failed with exit code 2" in printed
    assert "toy-again: agrees" in printed


def test_the_run_of_another_command_is_not_taken_for_this_one(record, here, tmp_path, capsys):
    to = ["--to", str(tmp_path / "again")]
    assert command_line.main(["reproduce", "toy", *to]) == 0
    assert command_line.main(["reproduce", "toy", *to, "--share", "0.5"]) == 2
    assert "holds a run of another command" in capsys.readouterr().err


def test_three_models_are_reproduced_in_short(here, tmp_path, capsys):
    names = ["meta-sgd-toy", "ga-maml-toy", "maml-toy"]
    asked = ["reproduce", *names, "--share", "0.001", "--to", str(tmp_path)]
    assert command_line.main(asked) == 0  # whose figures are not judged
    printed = capsys.readouterr().out
    assert all(f"{name}: ran" in printed for name in names)
    assert "0.001 of the recorded training" in (tmp_path / reproducing.REPORT).read_text()


@pytest.mark.parametrize("share", ["0", "1.5", "-1", "much"])
def test_a_share_is_above_0_and_at_most_1(share, capsys):
    assert command_line.main(["reproduce", "--share", share]) == 2
    assert "share" in capsys.readouterr().err


def test_what_is_told_on_the_page_is_no_markup(tmp_path):
    job = jobs.Job("<b>", ["chapters.ch06_maml.train_toy", "--data", "<i>"], [])
    failed = running.Outcome(job, tmp_path, 1, 0.0, [], None)
    page.write(tmp_path / "report.html", [failed], 1.0)
    text = (tmp_path / "report.html").read_text()
    assert "<b>" not in text
    assert "<i>" not in text


# --- how long it takes ----------------------------------------------------------------------------


def test_every_script_is_timed_with_a_model_that_trains_once():
    sticks = speed.yardsticks()
    assert {job.name for job in sticks.values()} <= set(catalogue.list_models())
    assert len(sticks) > 12
    assert "rnnprop-digits" not in {job.name for job in sticks.values()}  # five seeds


def test_times_are_those_of_the_record_at_the_speed_that_was_measured(tmp_path, monkeypatch):
    timed = []
    monkeypatch.setattr(speed, "measure", lambda job: timed.append(job.name) or 0.5)
    sine, toy = "maml-sine-5shot", "maml-toy"
    plan = reproducing.plan([sine, toy], tmp_path, lambda line: None)
    assert len(timed) == 1  # the toy has no model
    of = {job.name: job.seconds for job in plan.jobs}
    assert plan.seconds == {name: 0.5 * seconds for name, seconds in of.items()}
    reproducing.plan([sine, toy], tmp_path, lambda line: None)
    assert len(timed) == 1  # it is kept


def test_a_step_is_timed_in_a_run_of_its_own(tmp_path):
    (job,) = jobs.recorded(["reptile-sine"])
    ratio = speed.measure(job)
    assert 1e-3 < ratio < 1e3


def test_a_run_that_does_not_start_is_not_timed(tmp_path):
    words = ["chapters.ch06_maml.train_sine", "--steps", "0"]
    assert speed._seconds_of_step(words, tmp_path / "run") is None


def test_what_does_not_fit_into_the_hours_is_left_out(record, here, tmp_path, monkeypatch, capsys):
    rows = results.read()
    for each in rows:
        each["seconds"] = "1" if each["name"] == "toy" else "7200"
    monkeypatch.setattr(results, "read", lambda file=None: rows)
    asked = ["reproduce", "--hours", "1", "--to", str(tmp_path / "again")]
    assert command_line.main(asked) == 0
    assert [words[-1].rpartition("/")[2] for words in here] == ["toy"]
    monkeypatch.setattr(reproducing.time, "monotonic", iter([0.0, 4000.0, 4000.0]).__next__)
    assert command_line.main(asked) == 2
    assert "Nothing ends within 1 hours" in capsys.readouterr().err
