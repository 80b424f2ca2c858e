"""The commands as their user types them."""

import errno
import json

import pytest

import zoo
from chapters.engine import files
from zoo import __main__, report
from zoo.__main__ import main


def ask(capsys, *words):
    """Exit code, standard output and standard error of a command."""
    code = main(list(map(str, words)))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_list_and_info_print_text_and_json(capsys):
    code, out, _ = ask(capsys, "list", "caml*")
    assert (code, out.split()[0]) == (0, "caml-sine")
    _, out, _ = ask(capsys, "list", "caml*", "--json")
    assert [card["name"] for card in json.loads(out)] == ["caml-sine"]
    _, out, _ = ask(capsys, "info", "caml-sine")
    assert "Continue a curve" in out
    _, out, _ = ask(capsys, "info", "caml-sine", "--json")
    assert json.loads(out)["method"] == "CAML"


def test_evaluate_prints_mean_interval_and_protocol(capsys):
    words = ["evaluate", "maml-sine-5shot", "--episodes", "20", "--seed", "3"]
    code, out, _ = ask(capsys, *words)
    protocol, *lines = out.splitlines()
    assert code == 0
    assert protocol == (
        "Mean ± 95 % interval; sine curves (maml), test tasks, 20 episodes, 40 queries per task; "
        "test seed 3:"
    )
    assert [line.split(":")[0].strip() for line in lines] == [
        "MSE after 0 steps", "MSE after 1 step", "MSE after 5 steps", "MSE after 10 steps",
    ]  # fmt: skip
    _, out, _ = ask(capsys, *words, "--json")
    last = json.loads(out)[-1]
    assert lines[-1].split(": ")[1] == f"{last['mean']:.3f} ± {last['interval']:.3f}"


def test_predict_prints_names_with_probabilities(capsys, leaves):
    query = leaves / "class 0" / "0.png"
    words = ["predict", "prototypical-omniglot-1shot", "--support", leaves, "--query", query]
    code, out, _ = ask(capsys, *words)
    assert code == 0
    assert out.startswith(f"{query}: class 0 ")
    _, out, _ = ask(capsys, *words, "--json")
    answer = json.loads(out)["answers"][0]
    assert (answer["query"], answer["name"]) == (str(query), "class 0")


def test_publish_report_and_record(capsys, own_zoo, finished_run):
    code, _, err = ask(capsys, "publish", finished_run, "mine")  # its pixels are as good
    assert (code, err.count("\n")) == (2, 1)
    assert "not better than 'pixels, nearest neighbour'" in err and "--anyway" in err
    code, out, _ = ask(capsys, "publish", finished_run, "mine", "--anyway")
    assert code == 0
    assert "holds weights, options and card" in out
    code, out, _ = ask(capsys, "record", finished_run, "theirs")
    assert (code, out[:18]) == (0, "theirs: recorded; ")
    code, _, err = ask(capsys, "publish", own_zoo, "mine")
    assert (code, err.count("\n")) == (2, 1)


def test_report_names_stale_tables_and_chapters_without_a_model(
    capsys, own_zoo, tmp_path, monkeypatch
):
    readme = tmp_path / "README.md"
    readme.write_text("<!-- models -->\nstale\n<!-- end -->\n")
    monkeypatch.setattr(report, "ROOT", tmp_path)
    code, out, _ = ask(capsys, "report", "--check")
    assert code == 1
    assert "differs: README.md" in out
    assert "no model yet: ch03_prototypical" in out
    code, out, _ = ask(capsys, "report")
    assert (code, "written: README.md" in out) == (0, True)
    assert "No model yet: ch01_learned_optimizers, ch02_siamese" in readme.read_text()
    assert ask(capsys, "report", "--check")[0] == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["info", "caml-sin"], "did you mean 'caml-sine'"),
        (["lst"], "invalid choice: 'lst'"),
        ([], "required: COMMAND"),
        (["evaluate"], "required: name"),
        (["evaluate", "caml-sine", "--ways", "5"], "--ways"),
        (["evaluate", "caml-sine", "--way", "five"], "'five'"),
        (["evaluate", "caml-sine", "--seed", "-1"], "--seed is -1; it must be at least 0"),
        (["predict", "caml-sine"], "required: --query"),
        (["export", "caml-sine"], "required: --format, --to"),
        (["export", "caml-sin", "--format", "savedmodel", "--to", "x"], "mean 'caml-sine'"),
        (["export", "caml-sine", "--format", "onx", "--to", "x"], "did you mean 'onnx'"),
        (["publish", "nowhere", "mine"], "nowhere holds no config.json"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(capsys, words, sentence):
    code, out, err = ask(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert sentence in err
    assert err.count("\n") == 1


def test_a_full_disk_is_one_sentence(capsys, leaves, tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(files, "write_bytes", full)
    query, plot = leaves / "class 0" / "0.png", tmp_path / "plot.png"
    words = ["--support", leaves, "--query", query, "--plot", plot]
    code, out, err = ask(capsys, "predict", "prototypical-omniglot-1shot", *words)
    assert (code, out) == (2, "")
    assert err == f"error: Cannot write {plot}: the disk is full; free some space.\n"


def test_every_command_is_a_function_too():
    import zoo

    parser = __main__._parser()
    commands = set(parser._subparsers._group_actions[0].choices)
    functions = {name.removesuffix("_models") for name in zoo.__all__ if name != "__version__"}
    assert commands - functions == {"record", "report"}
    assert functions - commands == {"load", "optimizer"}


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0 and capsys.readouterr().out == f"metazoo {zoo.__version__}\n"
