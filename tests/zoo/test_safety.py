"""Loading runs no code: files that try to are refused in one sentence, and nothing happens."""

import hashlib
import io
import json
import pickle
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import zoo
from zoo.errors import ZooError
from zoo.records import safety, store


class Attack:
    """Creates its canary when it is unpickled."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return Path.touch, (self.canary,)


def keras_file_with_a_lambda(path, canary):
    code = f"lambda x: (open({str(canary)!r}, 'w').close(), x)[1]"
    layer = keras.layers.Lambda(eval(code), output_shape=(1,))
    file = path.with_suffix(".keras")
    keras.Sequential([keras.layers.Input((1,)), layer]).save(file)
    canary.unlink(missing_ok=True)
    file.rename(path)


def pickle_in_an_npz(path, canary):
    with path.open("wb") as file:
        np.savez(file, weights=np.array([Attack(canary)], object))


def bare_pickle(path, canary):
    path.write_bytes(pickle.dumps(Attack(canary)))


def zip_that_climbs_out(path, canary):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../" * 12 + str(canary)[1:], "out")


def external_link(path, canary):
    with h5py.File(path, "r+") as file:
        del file["layers"]
        file["layers"] = h5py.ExternalLink(str(canary), "/")


def soft_link(path, canary):
    with h5py.File(path, "r+") as file:
        file["again"] = h5py.SoftLink("/layers")


def looped_group(path, canary):
    with h5py.File(path, "r+") as file:
        file["layers/loop"] = file["layers"]


def numbers_in_another_file(path, canary):
    with h5py.File(path, "r+") as file:
        file.create_dataset("more", (2,), "f4", external=[(str(canary), 0, h5py.h5f.UNLIMITED)])


def virtual_dataset(path, canary):
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource(str(canary), "x", (2,))
    with h5py.File(path, "r+") as file:
        file.create_virtual_dataset("more", layout)


def objects(path, canary):
    with h5py.File(path, "r+") as file:
        file.create_dataset("more", data=[pickle.dumps(Attack(canary)).hex()])


def references(path, canary):
    with h5py.File(path, "r+") as file:
        file.create_dataset("more", (1,), h5py.ref_dtype)


def packed_numbers(path, canary):
    with h5py.File(path, "r+") as file:
        file.create_dataset("more", data=np.zeros(100_000, np.float32), compression="gzip")


def numbers_without_end(path, canary):
    with h5py.File(path, "r+") as file:
        file.create_dataset("more", (2**40,), "f4", chunks=(1024,))


def named_type(path, canary):
    with h5py.File(path, "r+") as file:
        file["more"] = np.dtype("f4")


def truncated(path, canary):
    path.write_bytes(path.read_bytes()[:-1000])


def empty(path, canary):
    path.write_bytes(b"")


ATTACKS = {
    keras_file_with_a_lambda: "is not an HDF5 file of weights",
    pickle_in_an_npz: "is not an HDF5 file of weights",
    bare_pickle: "is not an HDF5 file of weights",
    zip_that_climbs_out: "is not an HDF5 file of weights",
    empty: "is not an HDF5 file of weights",
    external_link: "has a link that leads elsewhere, 'layers'",
    soft_link: "has a link that leads elsewhere, 'again'",
    looped_group: "holds 'loop' twice",
    numbers_in_another_file: "'more', whose numbers are packed or lie in another file",
    virtual_dataset: "'more', whose numbers are packed or lie in another file",
    packed_numbers: "'more', whose numbers are packed or lie in another file",
    objects: "holds 'more', which is no array of floats",
    references: "holds 'more', which is no array of floats",
    named_type: "holds 'more', which is no array of floats",
    numbers_without_end: "announces more than",
    truncated: "cannot be read",
}


def named(functions):
    return [pytest.param(function, id=function.__name__) for function in functions]


def refused(words):
    """The loading is refused with one sentence that has these words."""
    with pytest.raises(ZooError, match=words) as raised:
        zoo.load("maml-sine-5shot")
    assert "\n" not in str(raised.value)


def sign(folder):
    """Make the card agree with the weights: the attacker can write cards, too."""
    card = json.loads((folder / store.CARD).read_text())
    card["sha256"] = hashlib.sha256((folder / store.WEIGHTS).read_bytes()).hexdigest()
    (folder / store.CARD).write_text(json.dumps(card))


def test_the_untouched_copy_loads(copied):
    assert zoo.load("maml-sine-5shot").learner.count_params() == 1761


@pytest.mark.parametrize("attack", named(ATTACKS))
def test_a_signed_attack_is_refused_by_its_structure(copied, tmp_path, attack):
    canary = tmp_path / "canary"
    attack(copied / store.WEIGHTS, canary)
    sign(copied)
    refused(ATTACKS[attack])
    assert not canary.exists()


@pytest.mark.parametrize("attack", named(ATTACKS))
def test_without_a_signature_nothing_is_parsed(copied, tmp_path, monkeypatch, attack):
    canary = tmp_path / "canary"
    attack(copied / store.WEIGHTS, canary)
    monkeypatch.setattr(safety, "_objection", lambda content: pytest.fail("it was parsed"))
    refused("has SHA-256 .* but its card says .* fetch it again")
    assert not canary.exists()


def test_the_pickles_are_live(tmp_path):
    canary = tmp_path / "canary"
    pickle_in_an_npz(tmp_path / "file.npz", canary)
    with np.load(tmp_path / "file.npz", allow_pickle=True) as file:
        _ = file["weights"]
    assert canary.exists()


def test_weights_of_another_model_are_refused(copied):
    other = Path(__file__).parents[2] / "zoo/weights/maml-sine-blog" / store.WEIGHTS
    (copied / store.WEIGHTS).write_bytes(other.read_bytes())
    sign(copied)
    refused("does not fit the model of config.json")


def test_a_file_that_is_too_large_is_not_read(copied, monkeypatch):
    monkeypatch.setattr(safety, "MAX_WEIGHTS", 1000)
    refused("at most 1,000 are read")


def test_a_card_that_is_too_large_is_not_read(copied):
    (copied / store.CARD).write_text(" " * (safety.MAX_JSON + 1))
    refused("at most 1,048,576 are read")


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("card.json", "[]", "holds no JSON object"),
        ("card.json", "{", "is not valid JSON"),
        ("card.json", "[" * 500_000, "is not valid JSON"),
        ("card.json", "{}", "has name = None, which does not belong there"),
        ("config.json", "{}", "is of None"),
        ("config.json", '{"script": "os.system"}', "is of 'os.system'"),
    ],
)
def test_json_that_does_not_fit_is_refused(copied, file, text, words):
    (copied / file).write_text(text)
    refused(words)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("hidden", 40, "expected str"),
        ("first_order", "yes", "expected bool"),
        ("inner_steps", True, "expected int"),
        ("inner_steps", -1, "must be at least 0"),
        ("objective", "__import__('os')", "must be one of squared_error, absolute_error"),
        ("surprise", 1, "Unknown option 'surprise'"),
        ("preset", "none", "Unknown preset 'none'"),
    ],
)
def test_options_that_do_not_fit_are_refused(copied, option, value, words):
    config = json.loads((copied / store.CONFIG).read_text())
    (copied / store.CONFIG).write_text(json.dumps({**config, option: value}))
    refused(words)


@pytest.mark.parametrize("sharpness", ["much", True, -1.0, None, [1.0]])
def test_a_decision_that_is_no_number_is_refused(copied, sharpness):
    (copied / store.DECISION).write_text(json.dumps({"sharpness": sharpness, "threshold": 1.0}))
    refused("decision.json holds .*; expected positive numbers")


@pytest.mark.parametrize("part", [store.WEIGHTS, store.CONFIG])
def test_a_missing_file_is_named(copied, part):
    (copied / part).unlink()
    refused(f"{part} is missing")


def test_what_is_loaded_is_what_was_checked(copied, monkeypatch):
    """A file that changes after the check is not read again."""
    checked = safety.read_weights

    def check_and_swap(path, sha256):
        content = checked(path, sha256)
        Path(path).write_bytes(b"something else")
        return content

    monkeypatch.setattr(safety, "read_weights", check_and_swap)
    assert zoo.load("maml-sine-5shot").learner.count_params() == 1761


def test_no_code_of_the_zoo_can_unpickle_or_load_models():
    """The functions that can run code from files do not occur."""
    for path in Path(safety.__file__).parent.glob("*.py"):
        text = path.read_text().replace("allow_pickle=False", "")
        for word in ("load_model(", "pickle", "exec(", "eval("):
            assert word not in text, f"{path.name} has {word}"


def test_plain_arrays_of_any_float_are_accepted():
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file["layers/vars/0"] = np.zeros(3, np.float16)
    assert safety._objection(content.getvalue()) == ""
