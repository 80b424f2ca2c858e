"""Odd values of every option of every script and command: one sentence, exit code 2, no traceback.

Nothing is trained: where an option is accepted the script is stopped before its work begins.
"""

import dataclasses
import importlib
import inspect

import pytest
import tensorflow as tf
from PIL import Image

import chapters.__main__
import zoo.__main__
from chapters.ch02_siamese import identify
from chapters.engine import configuration, script
from datasets import __main__ as datasets_main
from zoo import export_table
from zoo.records import store

SCRIPTS = dict(chapters.__main__.scripts())
FAR = "1" + "0" * 30
DIGITS = "9" * 5000
FOREIGN = "٣"  # a digit, but not of ASCII: int() would take it for 3
WHOLE = ["4294967296", FAR, DIGITS, f"-{FAR}", FOREIGN, "1_000", "1e3", "0x10", "", "nan"]
NUMBER = ["inf", "-inf", "nan", "1e400", f"1{DIGITS}", FOREIGN, "1_0.0", "ten", ""]
TEXT = ["a\0b", "\udcff", "x" * 5000]
LISTS = [f"5w{DIGITS}s", f"{FOREIGN}w1s", DIGITS, f"1,{FOREIGN}", "1,,2", "1;2", "-1", f"0,{FAR}"]
LIST_OPTIONS = ("columns", "hidden", "shown_steps", "test_lengths", "test_repeats", "epsilons")


class Accepted(BaseException):
    """The options were taken and the work would begin."""


def fields():
    """Every option of every script, with values that nobody means."""
    for module, declared in SCRIPTS.items():
        for field in dataclasses.fields(declared.config):
            kind = type(field.default)
            if field.name in declared.without or kind is bool:
                continue
            odd = {int: WHOLE, float: NUMBER, str: TEXT}[kind]
            odd = odd + LISTS if field.name in LIST_OPTIONS else odd
            flag = "--" + field.name.replace("_", "-")
            yield pytest.param(module, flag, odd, id=f"{module.removeprefix('chapters.')} {flag}")


@pytest.fixture
def stopped(monkeypatch):
    """No script gets beyond its options."""

    def accepted(*_, **__):
        raise Accepted

    monkeypatch.setattr(script, "prepare", accepted)


def left_with_a_sentence(main, argv, capsys, longest=1000):
    """The exit is with 2 and one line on stderr."""
    with pytest.raises(SystemExit) as left:
        script.run(main, argv)
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1 and said.endswith(".\n")
    assert len(said) < longest
    return said


@pytest.mark.parametrize(("module", "flag", "odd"), fields())
def test_an_odd_value_is_one_sentence(module, flag, odd, stopped, capsys):
    main = importlib.import_module(module).main
    for value in odd:
        said = left_with_a_sentence(main, [f"{flag}={value}"], capsys)
        assert flag in said or said.startswith("error: Unknown preset")


@pytest.mark.parametrize("module", SCRIPTS)
def test_the_options_of_every_script_are_taken_or_refused_with_a_reason(module, stopped, capsys):
    main, declared = importlib.import_module(module).main, SCRIPTS[module]
    given = {"strategy": "none", "export": "somewhere", "resume": None, "data_root": "."}
    for name, value in (dict.fromkeys(declared.without, "1") | given).items():
        flag = "--" + name.replace("_", "-")
        argv = [flag] if value is None else [f"{flag}={value}"]
        if name in declared.without:
            said = left_with_a_sentence(main, argv, capsys)
            assert f"{flag} does not apply to this script, {declared.without[name]}" in said
        else:
            with pytest.raises(Accepted):
                main(argv)


@pytest.mark.parametrize("module", [m for m, s in SCRIPTS.items() if "strategy" not in s.without])
def test_a_strategy_that_is_offered_is_made(module):
    """``multiworker`` without TF_CONFIG is refused before anything is trained."""
    assert "strategies.make(config.strategy)" in inspect.getsource(importlib.import_module(module))


@pytest.mark.parametrize("module", [m for m, s in SCRIPTS.items() if "export" not in s.without])
def test_an_export_that_is_offered_is_written(module):
    source = inspect.getsource(importlib.import_module(module))
    assert "export_run(" in source or "config.export" in source


# Script, what the option is for, an option that has no effect without: each refused and taken.
FACES, AUDIO = "ch02_siamese.train_faces", "ch02_siamese.train_audio"
NTM, MANN = "ch05_memory.train_ntm", "ch05_memory.train_mann"
IMAGES = tuple(f"{chapter}.train_omniglot" for chapter in (
    "ch06_maml", "ch07_meta_sgd_reptile", "ch08_gradient_agreement"))  # fmt: skip
SEMI = "ch03_prototypical.train_semi_supervised"
USELESS = [
    *((script, "--encoder ours", "--encoder book", option) for script, option in (
        (FACES, "--dim 8"), (FACES, "--dropout 0.1"), (AUDIO, "--dim 8"), (AUDIO, "--dropout 0.1"),
        (AUDIO, "--channels 8"), (AUDIO, "--noise 0.1"))),
    *((script, "--optimizer adamw", "--optimizer rmsprop", "--weight-decay 0.1")
      for script in (FACES, AUDIO)),
    (AUDIO, "--augment", "--no-augment", "--crop 50"),
    ("ch04_relation_matching.train_matching", "--context", "--no-context",
     "--processing-steps 3"),
    *((NTM, "--model NTM", "--model LSTM", option) for option in (
        "--controller lstm", "--memory-size 8", "--memory-vector-dim 8", "--read-head-num 2",
        "--write-head-num 2", "--addressing-mode content", "--shift-range 2",
        "--memory-init random")),
    (NTM, "--addressing-mode content_and_location", "--addressing-mode content",
     "--shift-range 2"),
    *((NTM, "--task repeat_copy", "--task copy", option)
      for option in ("--max-repeats 2", "--test-repeats 3")),
    *((MANN, "--model MANN", f"--model {model}", option)
      for model in ("LSTM", "feed_forward") for option in (
        "--controller lstm", "--memory-size 8", "--memory-vector-dim 8", "--head-num 2",
        "--gamma 0.5")),
    *((script, "--method adml", "--method maml", option)
      for script in ("ch06_maml.train_omniglot", "ch06_maml.train_toy")
      for option in ("--epsilon 0.2", "--pairing parallel")),
    *((f"ch06_maml.{script}", "--method caml", "--method maml", "--context 3")
      for script in ("train_omniglot", "train_sine")),
    ("ch06_maml.train_omniglot", "--method maml or anil or adml", "--method caml",
     "--network dense4"),
    ("ch06_maml.train_omniglot", "--method anil", "--method maml", "--zero-head"),
    ("ch06_maml.train_omniglot", "--method maml", "--method anil", "--warm-start 0.5"),
    ("ch06_maml.train_omniglot", "--no-first-order", "--first-order", "--warm-start 0.5"),
    *((script, "--network conv4", "--network dense4", "--filters 8") for script in IMAGES),
    *((f"ch07_meta_sgd_reptile.{script}", f"--method {needed}", f"--method {other}", option)
      for script in ("train_omniglot", "train_sine", "train_toy")
      for needed, other, options in (
        ("meta_sgd", "reptile", ("--rate 0.1", "--first-order")),
        ("reptile", "meta_sgd", ("--inner-rate 0.1", "--inner-batch 2", "--test-batch 2",
                                 "--inner-optimizer adam")))
      for option in options),
    ("ch07_meta_sgd_reptile.train_toy", "--method meta_sgd", "--method reptile", "--query 3"),
    *((f"ch08_gradient_agreement.{script}", "--base maml", "--base reptile", "--first-order")
      for script in ("train_omniglot", "train_sine", "train_toy")),
    ("ch08_gradient_agreement.train_sine", "--agreement", "--no-agreement", "--compare"),
    *((script, "--train-split train", "--train-split trainval", "--patience 3")
      for script in ("ch03_prototypical.train", SEMI, "ch04_relation_matching.train_matching",
                     "ch04_relation_matching.train_classifier", *IMAGES)),
    *((SEMI, "--method soft or cluster or masked", "--method supervised", option)
      for option in ("--unlabelled 3", "--distractors 3")),
    ("ch03_prototypical.train_gaussian", "--no-plain", "--plain",
     "--inverse-transform-type other"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "needed", "other", "typed"), USELESS)
def test_an_option_that_another_one_makes_useless_is_refused(
    module, needed, other, typed, stopped, capsys
):
    main = importlib.import_module(f"chapters.{module}").main
    said = left_with_a_sentence(main, f"{other} {typed}".split(), capsys)
    flag = typed.split()[0]
    assert f"{flag} is for {needed} and has no effect with {other}; leave one of them out" in said
    with pytest.raises(Accepted):
        main(f"{needed.partition(' or ')[0]} {typed}".split())


def test_an_option_that_is_switched_off_is_never_useless(stopped):
    from chapters.ch08_gradient_agreement import train_sine

    with pytest.raises(Accepted):
        train_sine.main(["--base", "reptile", "--no-first-order"])


ADAPTING = [
    (f"{chapter}.{name}", method)
    for chapter, options in (
        ("ch06_maml", [{"method": method} for method in ("maml", "anil", "adml", "caml")]),
        ("ch07_meta_sgd_reptile", ({"method": "meta_sgd"}, {"method": "reptile"})),
        ("ch08_gradient_agreement", ({},)))
    for name in ("train_toy", "train_sine", "train_omniglot")
    for method in options
    if (name, method.get("method")) not in (("train_toy", "anil"), ("train_toy", "caml"),
                                            ("train_sine", "anil"), ("train_sine", "adml"))
]  # fmt: skip


@pytest.mark.parametrize(("module", "method"), ADAPTING)
def test_every_option_of_the_inner_loop_reaches_the_learner(module, method):
    """Other values than any default, and than each other's."""
    module = f"chapters.{module}"
    asked = {"inner_steps": 2, "test_steps": 7, "first_order": True, "inner_rate": 0.123}
    asked |= {"rate": 0.321, "inner_batch": 3, "test_batch": 4, "inner_optimizer": "adam"}
    asked |= {"epsilon": 0.09, "pairing": "parallel", "batch_norm": "support", "zero_head": True}
    known = {field.name for field in dataclasses.fields(SCRIPTS[module].config)}
    asked = {name: value for name, value in asked.items() if name in known}
    preset = next(iter(SCRIPTS[module].presets))
    config = configuration.build(SCRIPTS[module], preset, {**asked, **method})
    learner = importlib.import_module(module).build_learner(config)
    taken = {name for name in learner.CONFIG if name in asked}
    assert len(taken) >= 4
    assert {name: getattr(learner, name) for name in taken} == {n: asked[n] for n in taken}


@pytest.mark.parametrize("module", SCRIPTS)
def test_every_preset_is_taken_as_it_is(module, stopped):
    """Though it may hold what another method would ignore."""
    main = importlib.import_module(module).main
    for preset in SCRIPTS[module].presets:
        with pytest.raises(Accepted):
            main(["--preset", preset])


TOOLS = {
    "chapters.ch03_prototypical.benchmark": ["--repeats"],
    "chapters.ch05_memory.benchmark": ["--repeats"],
    "chapters.ch06_maml.benchmark": ["--repeats", "--query"],
    "chapters.ch06_maml.gradcheck": ["--seed", "--steps"],
}


@pytest.mark.parametrize("module", TOOLS)
def test_odd_values_of_tools_are_one_sentence(module, stopped, capsys):
    main = importlib.import_module(module).main
    for flag in TOOLS[module]:
        for value in WHOLE:
            assert flag in left_with_a_sentence(main, [f"{flag}={value}"], capsys)
    left_with_a_sentence(main, ["--no-such-option"], capsys)


FULL = {
    "TensorFlow": lambda: tf.errors.ResourceExhaustedError(None, None, "OOM at a tensor\nof 9 TB"),
    "NumPy": lambda: MemoryError("Unable to allocate 9 TiB"),
    "Python": MemoryError,
}


@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
@pytest.mark.parametrize("module", [*SCRIPTS, "chapters.ch06_maml.gradcheck"])
def test_what_does_not_fit_into_memory_is_one_sentence(module, error, monkeypatch, capsys):
    def full(*_, **__):
        raise error()

    monkeypatch.setattr(script, "prepare", full)
    said = left_with_a_sentence(importlib.import_module(module).main, [], capsys)
    assert "This does not fit into memory; choose smaller sizes (" in said


@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
def test_what_does_not_fit_into_memory_is_one_sentence_of_the_zoo(error, monkeypatch, capsys):
    def full(*_, **__):
        raise error()

    monkeypatch.setattr(zoo, "evaluate", full)
    assert zoo.__main__.main(["evaluate", NAME]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: This does not fit into memory") and said.count("\n") == 1


COMMANDS = [*SCRIPTS, *dict(chapters.__main__.tools()), "zoo.export_table"]


@pytest.mark.parametrize("module", COMMANDS)
def test_every_command_ends_what_can_be_expected_in_a_sentence(module):
    source = inspect.getsource(importlib.import_module(module))
    assert source.endswith('if __name__ == "__main__":\n    script.run(main)\n')


@pytest.mark.parametrize("argv", [["--no-such"], ["quick"], ["\udcff"]])
def test_odd_arguments_of_the_list_of_scripts_are_one_sentence(argv, capsys):
    left_with_a_sentence(chapters.__main__.main, argv, capsys)


@pytest.mark.parametrize("odd", [*TEXT, "../..", "no-such-model", "--no-such", ""])
def test_odd_names_of_models_to_export_are_one_sentence(odd, monkeypatch, capsys):
    monkeypatch.setattr(export_table, "measure", lambda name: pytest.fail("it was measured"))
    left_with_a_sentence(export_table.main, [NAME, odd], capsys, longest=6000)


@pytest.mark.parametrize("odd", [*TEXT, "~nouser/x", "", "nowhere"])
@pytest.mark.parametrize("flag", ["--run", "--support", "--query"])
def test_odd_files_to_identify_are_one_sentence(flag, odd, stopped, capsys, monkeypatch, tmp_path):
    """The zoo's folder of the network on faces stands for its run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people").mkdir()
    for name in ("ada", "ben"):
        Image.new("L", (92, 112), 90).save(tmp_path / f"people/{name}.png")
    run = store.FOLDER / "siamese-orl-faces"
    given = {"--run": str(run), "--support": "people", "--query": "people/ada.png"} | {flag: odd}
    argv = [f"{name}={value}" for name, value in given.items()]
    left_with_a_sentence(identify.main, argv, capsys, longest=11_000)  # a path, and its reason


NAME = "maml-sine-5shot"
ZOO = [
    *(["evaluate", NAME, f"--{option}={value}"] for value in WHOLE[:-1]
      for option in ("way", "shot", "query", "episodes", "seed")),
    *([command, odd] for command in ("info", "evaluate") for odd in (*TEXT, "../..", "")),
    *(["export", NAME, f"--format={odd}", "--to=x"] for odd in (FOREIGN, DIGITS, "")),
    *(["predict", NAME, f"--support={odd}", "--query=x"] for odd in (*TEXT, "~nouser/x", "")),
    *(["publish", odd, NAME] for odd in (*TEXT, "~nouser/x")),
    ["evaluate", NAME, "--batch-norm", FOREIGN], ["nothing"], [], ["list", "--no-such"],
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(ZOO)))
def test_odd_values_of_the_zoo_are_one_sentence(number, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert zoo.__main__.main(ZOO[number]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1


@pytest.mark.parametrize(
    "argv",
    [
        ["get", "omniglott"], ["get", "\udcff"], ["get", DIGITS], ["get"], ["verify", "strokes"],
        ["--root", "~nouser/x", "verify", "orl_faces"], ["--root", "a\0b", "verify", "omniglot"],
        ["--root", "x" * 5000, "verify", "omniglot"], ["nothing"],
    ],
)  # fmt: skip
def test_odd_values_of_the_data_sets_are_one_sentence(argv, capsys, monkeypatch):
    monkeypatch.delenv("METAZOO_DATA", raising=False)
    try:
        code = datasets_main.main(argv)
    except SystemExit as left:
        code = left.code
    assert code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Traceback" not in said
