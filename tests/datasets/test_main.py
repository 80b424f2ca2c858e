"""``python -m datasets``: what it lists, gets, verifies and refuses."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import datasets
from datasets import __main__ as command
from datasets.sets import sources
from tests.datasets.local_server import LocalServer

PROJECT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache folder, no other data folder, no network."""
    monkeypatch.delenv("METAZOO_DATA", raising=False)
    monkeypatch.setenv("METAZOO_OFFLINE", "1")
    monkeypatch.setenv("METAZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def faces(tmp_path) -> Path:
    """A data folder with something in the layout of the ORL faces."""
    (tmp_path / "data" / "orl_faces").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "data" / "orl_faces" / "att_faces.zip", "w") as archive:
        archive.writestr("s1/1.pgm", bytes(2_000_000))
    return tmp_path / "data"


def fails(capsys, *arguments) -> str:
    """The one line on stderr of a command that ends with exit code 2."""
    try:
        code = command.main(list(arguments))
    except SystemExit as error:  # argparse
        code = error.code
    assert code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1 and err.endswith("\n")
    return err


def lines(capsys, *arguments) -> dict[str, str]:
    """Name of a set to the rest of its line."""
    assert command.main(list(arguments)) == 0
    listed = capsys.readouterr().out.splitlines()
    return {name: rest.strip() for name, rest in (line.split(maxsplit=1) for line in listed)}


# --- list -----------------------------------------------------------------------------------------


def test_every_set_has_one_line(capsys):
    assert list(lines(capsys)) == list(datasets.LOADERS) == list(lines(capsys, "list"))


def test_missing_sets_say_how_to_get_them(capsys):
    listed = lines(capsys)
    for name in sources.SOURCES:
        assert listed[name].startswith("missing")
        assert f"`python -m datasets get {name}`" in listed[name]
    assert listed["strokes"].startswith("generated")


@pytest.mark.parametrize("order", ["before", "after", "environment"])
def test_present_sets_say_where_and_how_large(capsys, faces, monkeypatch, order):
    arguments = {
        "before": ["--root", str(faces), "list"],
        "after": ["list", "--root", str(faces)],
        "environment": [],
    }[order]
    if order == "environment":
        monkeypatch.setenv("METAZOO_DATA", str(faces))
    assert lines(capsys, *arguments)["orl_faces"] == f"present    {faces / 'orl_faces'}, 2.0 MB"


def test_stand_ins_that_were_written_are_found(capsys, cache):
    for name in ("strokes-v1-seed0", "strokes-v1-seed7", "strokes-v1-seed8.part-abc"):
        (cache / "generated" / name).mkdir(parents=True)
        (cache / "generated" / name / "x").write_bytes(bytes(1_000_000))
    expected = f"present    {cache}/generated/strokes-v1-seed0 (and 1 more), 2.0 MB, generated"
    assert lines(capsys)["strokes"] == expected


def test_sets_without_files_of_their_own_say_where_they_come_from(capsys):
    listed = lines(capsys)
    assert listed["digits"] == "present    comes with scikit-learn"
    assert listed["braille"].startswith("missing    files of omniglot: `python -m datasets get")
    assert listed["emoji_omniglot"].startswith("missing    files of emoji: `python -m datasets get")
    assert listed["signs_strokes"].startswith("generated  files of painted_signs: written when")
    assert command.main(["get", "digits"]) == 0
    assert capsys.readouterr().out == "digits come with scikit-learn; there is nothing to get.\n"
    assert "so there is nothing to verify" in fails(capsys, "verify", "digits")


def test_listing_is_quick_because_it_imports_little():
    """Neither TensorFlow nor anything else that takes long; by name, since seconds vary."""
    heavy = (
        "{'tensorflow', 'keras', 'librosa', 'sklearn', 'scipy', 'matplotlib', 'PIL', 'requests'}"
    )
    code = (
        "import sys; from datasets.__main__ import main; "
        f"assert main([]) == 0; print({heavy} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "set()"


def test_the_module_runs():
    result = subprocess.run(
        [sys.executable, "-m", "datasets", "get", "omniglott"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr.startswith("Unknown data set 'omniglott'; did you mean 'omniglot'?")


# --- get ------------------------------------------------------------------------------------------


def test_get_says_where_a_set_is_that_is_there(capsys, faces, monkeypatch):
    assert command.main(["get", "orl_faces", "--root", str(faces)]) == 0
    assert capsys.readouterr().out == f"orl_faces is in {faces / 'orl_faces'}\n"
    monkeypatch.setenv("METAZOO_DATA", str(faces))
    assert command.main(["get", "orl_faces"]) == 0
    assert capsys.readouterr().out == f"orl_faces is in {faces / 'orl_faces'}\n"


def test_get_with_root_does_not_look_elsewhere(capsys, faces, tmp_path, monkeypatch):
    monkeypatch.setenv("METAZOO_DATA", str(faces))
    message = fails(capsys, "get", "orl_faces", "--root", str(tmp_path / "mine"))
    assert f"Searched: {tmp_path}/mine/orl_faces. " in message


def test_get_offline_asks_no_server(capsys, monkeypatch):
    monkeypatch.delenv("METAZOO_OFFLINE")
    with LocalServer() as server:
        monkeypatch.setattr(sources, "OMNIGLOT_URL", server.url("/"))
        message = fails(capsys, "get", "omniglot", "--offline")
    assert "network is forbidden" in message and "METAZOO_DATA" in message
    assert server.requests == []


def test_get_names_the_server_that_failed(capsys, monkeypatch, cache):
    monkeypatch.delenv("METAZOO_OFFLINE")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with LocalServer() as server:
        monkeypatch.setattr(sources, "OMNIGLOT_URL", server.url("/"))
        assert command.main(["get", "omniglot"]) == 2
    fetching, error = capsys.readouterr().err.splitlines()
    assert fetching == f"Fetching omniglot (15.9 MB) into {cache}/omniglot"
    assert f"{server.url('/images_background.zip')}: the server answered 404" in error


def test_get_writes_a_stand_in(capsys, monkeypatch, cache_folder):
    monkeypatch.setenv("METAZOO_CACHE", str(cache_folder))  # shared by all tests: written once
    assert command.main(["get", "sketch_faces"]) == 0
    folder = Path(capsys.readouterr().out.removeprefix("sketch_faces is in ").rstrip("\n"))
    assert folder.is_relative_to(cache_folder / "generated")
    assert len(list(folder.rglob("*.pgm"))) == 400
    assert lines(capsys)["sketch_faces"].startswith("present")


def test_stand_ins_cannot_be_put_elsewhere(capsys):
    assert "METAZOO_CACHE" in fails(capsys, "get", "strokes", "--root", "/tmp")


# --- verify, and mistakes -------------------------------------------------------------------------


def test_verify_refuses_other_contents(capsys, faces):
    message = fails(capsys, "verify", "orl_faces", "--root", str(faces))
    assert f"{faces}/orl_faces/att_faces.zip does not hold the expected data" in message


def test_verify_accepts_the_expected_contents(capsys, faces, monkeypatch):
    monkeypatch.setattr(sources.remote, "digest", lambda *_: sources.FACES_PART.digest)
    assert command.main(["verify", "orl_faces", "--root", str(faces)]) == 0
    assert "exactly the expected files" in capsys.readouterr().out


def test_a_console_that_knows_few_letters_ends_nothing(tmp_path):
    folder = tmp_path / "data 日本" / "orl_faces"
    folder.mkdir(parents=True)
    (folder / "att_faces.zip").write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-m", "datasets", "--root", str(folder.parent)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert r"data \u65e5\u672c" in done.stdout


def test_stand_ins_cannot_be_verified(capsys):
    assert "omniglot, orl_faces, cats_dogs, spoken_digits, emoji" in fails(
        capsys, "verify", "strokes"
    )


@pytest.mark.parametrize("action", ["get", "verify"])
@pytest.mark.parametrize(
    ("name", "hint"),
    [("orl_face", "'orl_faces'"), ("cats-dogs", "'cats_dogs'"), ("cifar", "the sets are omniglot")],
)
def test_unknown_names_suggest_the_closest(capsys, action, name, hint):
    message = fails(capsys, action, name)
    assert message.startswith(f"Unknown data set {name!r}; ") and hint in message


@pytest.mark.parametrize(
    "arguments", [["fetch"], ["get"], ["get", "strokes", "--fast"], ["--fast"]]
)
def test_unknown_commands_and_options_are_one_sentence(capsys, arguments):
    assert "--help`" in fails(capsys, *arguments)


def test_help_explains_every_command(capsys):
    with pytest.raises(SystemExit) as end:
        command.main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("list", "get", "verify", "--root"))
