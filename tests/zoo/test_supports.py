"""Support sets as files: the answers of the folders, and nothing else that a file might do."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

import datasets
import zoo
from zoo import __main__ as command_line
from zoo import loading, supports
from zoo.errors import ZooError

NAME = "prototypical-omniglot-1shot"


def draw(folder, classes, numbers):
    """Generated characters, dark on white: files of some numbers of some classes."""
    data = datasets.load("strokes")
    for k in classes:
        (folder / f"sign {k}").mkdir(parents=True, exist_ok=True)
        for number in numbers:
            item = data.items[data.items_of(k)[number]]
            Image.fromarray(255 - item).save(folder / f"sign {k}" / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three classes of two files each."""
    return draw(tmp_path_factory.mktemp("signs"), range(3), range(2))


@pytest.fixture(scope="module")
def queries(tmp_path_factory):
    """New files of these classes."""
    return sorted(draw(tmp_path_factory.mktemp("new"), range(3), [5]).glob("*/*.png"))


@pytest.fixture
def file(folder, tmp_path):
    """What a prototypical network knows of the folder."""
    zoo.learn(NAME, folder, tmp_path / "signs.npz")
    return tmp_path / "signs.npz"


@pytest.mark.parametrize(
    "name", [NAME, "relation-omniglot-20way-1shot", "matching-omniglot-context", "siamese-omniglot",
             "maml-omniglot-5way"],
)  # fmt: skip
def test_a_file_gives_the_answers_of_the_folder_to_the_last_bit(name, folder, queries, tmp_path):
    path = tmp_path / "signs.npz"
    zoo.learn(name, folder, path)
    loaded, known = loading.load(name), supports.read(path)
    seen = supports.learn(loaded, folder)
    assert (known.items == seen.items).all() and known.items.dtype == np.float32
    np.testing.assert_array_equal(known.distances, seen.distances)
    arrays = dict.fromkeys(("items", "labels", "distances"), 0)
    assert known._replace(**arrays) == seen._replace(**arrays)
    for reject in (0.0, 0.5):
        ours = zoo.predict("", path, queries, reject=reject)
        assert ours == zoo.predict(loaded, folder, queries, reject=reject)


def test_what_is_added_and_forgotten_again_leaves_no_trace(folder, file, tmp_path):
    more = draw(tmp_path / "more", [1, 7], [3])
    grown = tmp_path / "grown.npz"
    found = zoo.learn(NAME, more, grown, known=file)
    assert found.classes == ["sign 0", "sign 1", "sign 2", "sign 7"]
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2, 1, 3]
    zoo.forget(grown, ["sign 7", "sign 1/3.png"], grown)
    assert grown.read_bytes() == file.read_bytes()


def test_what_was_added_is_told_apart_as_if_it_had_been_there(folder, file, queries, tmp_path):
    all_of_it = draw(tmp_path / "all", range(3), range(3))
    more = draw(tmp_path / "more", range(3), [2])
    zoo.learn(NAME, more, file, known=file)
    grown, whole = zoo.predict(NAME, file, queries), zoo.predict(NAME, all_of_it, queries)
    for one, other in zip(grown, whole, strict=True):
        assert one["name"] == other["name"]
        for name, share in one["probabilities"].items():
            assert share == pytest.approx(other["probabilities"][name], abs=2e-4)


def test_names_that_are_known_or_unknown_are_told(folder, file, tmp_path):
    with pytest.raises(ZooError, match="sign 0/0.png is known already; rename the file, or"):
        zoo.learn(NAME, folder, file, known=file)
    with pytest.raises(ZooError, match="sign 9 is not known; known are sign 0, sign 1, sign 2"):
        zoo.forget(file, ["sign 9"], file)
    with pytest.raises(ZooError, match="1 class.es. would be left; two are needed"):
        zoo.forget(file, ["sign 0", "sign 1"], file)
    with pytest.raises(ZooError, match="are different models, or read differently"):
        zoo.learn("matching-omniglot", draw(tmp_path / "m", [0, 1], [4]), file, known=file)
    assert len(supports.read(file).files) == 6  # nothing was lost


def test_a_file_belongs_to_one_model_and_its_weights(folder, file, queries):
    with pytest.raises(ZooError, match=f"is of {NAME}, not of matching-omniglot"):
        zoo.predict("matching-omniglot", file, queries)
    supports.write(file, supports.read(file)._replace(sha256="0" * 64))
    with pytest.raises(ZooError, match="was made with other weights"):
        zoo.predict(NAME, file, queries)
    with pytest.raises(ZooError, match="does not say which model is meant; give its name too"):
        zoo.predict("", folder, queries)
    with pytest.raises(ZooError, match="--plot shows examples, and .* has none"):
        zoo.predict(NAME, file, queries, plot="answers.png")


def contents(path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path, parts, packing=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)


def array(x) -> bytes:
    written = io.BytesIO()
    np.save(written, x, allow_pickle=True)
    return written.getvalue()


def about(parts, **changes) -> bytes:
    known = json.loads(np.load(io.BytesIO(parts["about.npy"])).tobytes())
    return array(np.frombuffer(json.dumps(known | changes).encode(), np.uint8))


SPOILED = {
    "no archive": (None, "no file of python -m zoo learn"),
    "pickle": (lambda p: {"items.npy": array(np.array([{}], object))}, "Object arrays cannot be"),
    "more": (lambda p: {"code.npy": b"x"}, "it holds about.npy, code.npy"),
    "type": (lambda p: {"items.npy": array(np.zeros([6, 64]))}, "numbers of type float64"),
    "nan": (lambda p: {"items.npy": array(np.full([6, 64], np.nan, np.float32))}, "not finite"),
    "shape": (lambda p: {"items.npy": array(np.zeros([6, 3], np.float32))}, "have the shape"),
    "count": (lambda p: {"items.npy": array(np.zeros([5, 64], np.float32))}, "differ in number"),
    "labels": (lambda p: {"labels.npy": array(np.full(6, 9, np.int32))}, "two classes or more"),
    "text": (lambda p: {"about.npy": array(np.array([1, 2], np.uint8))}, "is not JSON"),
    "twice": (lambda p: {"about.npy": about(p, files=["a"] * 6)}, "occur twice"),
    "field": (lambda p: {"about.npy": about(p, invert="yes")}, "invert = 'yes'"),
    "model": (lambda p: {"about.npy": about(p, model="no-such")}, "Unknown model 'no-such'"),
    "cut": (lambda p: {"items.npy": p["items.npy"][:-40]}, "no file of python -m zoo learn"),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_a_damaged_or_hostile_file_is_one_sentence(spoiled, file, queries):
    change, sentence = SPOILED[spoiled]
    parts = contents(file)
    if change is None:
        file.write_bytes(b"\x80\x04K\x01.")
    else:
        rewrite(file, parts | change(parts))
    with pytest.raises(ZooError, match=sentence):
        zoo.predict("", file, queries)


def test_a_packed_file_is_not_unpacked(file, queries):
    rewrite(file, contents(file), zipfile.ZIP_DEFLATED)
    with pytest.raises(ZooError, match="it is packed"):
        zoo.predict("", file, queries)


def test_the_commands_learn_name_and_forget(folder, queries, tmp_path, capsys):
    path = str(tmp_path / "signs.npz")
    assert command_line.main(["learn", NAME, "--support", str(folder), "--to", path]) == 0
    assert "holds 6 example(s) of 3 classes" in capsys.readouterr().out
    assert command_line.main(["predict", "--with", path, "--query", str(queries[0]), "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)["answers"]
    assert set(answer["probabilities"]) == {"sign 0", "sign 1", "sign 2"}
    assert command_line.main(["forget", path, "sign 2", "--to", path]) == 0
    assert "holds 4 example(s) of 2 classes" in capsys.readouterr().out
