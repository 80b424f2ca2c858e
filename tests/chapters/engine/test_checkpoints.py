"""Checkpoints: what was saved comes back, damage is found and named, older ones serve."""

import hashlib
import json
import os
import shutil

import numpy as np
import pytest

from chapters.engine import checkpoints


def arrays(step):
    rng = np.random.default_rng(step)
    return {
        "model/0000": rng.normal(size=[3, 4]).astype(np.float32),
        "model/0001": np.array(step, np.int64),
        "model/0002": rng.normal(size=[0, 2]),
        "model/0003": np.array([True, False]),
    }


def save(folder, *steps):
    for step in steps:
        checkpoints.save(folder, step, arrays(step), {"step": step, "history": [{"loss": 0.1}]})


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def loaded_step(folder, report=None):
    found = checkpoints.load(folder, report or (lambda line: None))
    return None if found is None else found[1]["step"]


def test_arrays_and_state_come_back_bit_by_bit(tmp_path):
    save(tmp_path / "c", 7)
    found, state = checkpoints.load(tmp_path / "c")
    assert found.keys() == arrays(7).keys()
    for name, array in arrays(7).items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
    assert state == {"step": 7, "history": [{"loss": 0.1}]}


def test_floats_of_the_history_come_back_exactly(tmp_path):
    values = np.random.default_rng(1).normal(size=100).tolist() + [1e-300, 1 / 3, 5e-324]
    checkpoints.save(tmp_path, 1, {}, {"history": values})
    assert checkpoints.load(tmp_path)[1]["history"] == values


def test_no_checkpoint_is_none(tmp_path):
    assert checkpoints.load(tmp_path / "missing") is None


def test_the_newest_is_used_and_only_the_last_two_are_kept(tmp_path):
    save(tmp_path, 5, 90, 100, 1000)  # by number, not by the order of their letters
    assert checkpoints.KEEP == 2
    assert names(tmp_path) == ["step-0000000100", "step-0000001000"]
    assert loaded_step(tmp_path) == 1000


def flip_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


DAMAGE = {
    "arrays truncated": lambda c: truncate(c / "arrays.npz"),
    "arrays empty": lambda c: os.truncate(c / "arrays.npz", 0),
    "bit flipped in the arrays": lambda c: flip_bit(c / "arrays.npz"),
    "bit flipped in the state": lambda c: flip_bit(c / "state.json"),
    "arrays missing": lambda c: (c / "arrays.npz").unlink(),
    "state missing": lambda c: (c / "state.json").unlink(),
    "manifest missing": lambda c: (c / "manifest.json").unlink(),
    "manifest not JSON": lambda c: (c / "manifest.json").write_text("{"),
    "manifest not text": lambda c: (c / "manifest.json").write_bytes(b"\xff\xfe\x00"),
    "manifest of another shape": lambda c: (c / "manifest.json").write_text("[1, 2]"),
    "manifest without a file": lambda c: (c / "manifest.json").write_text("{}"),
    "folder empty": lambda c: (shutil.rmtree(c), c.mkdir()),
    "a file in place of the folder": lambda c: (shutil.rmtree(c), c.write_text("")),
    "a folder in place of the arrays": lambda c: (
        (c / "arrays.npz").unlink(),
        (c / "arrays.npz").mkdir(),
    ),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_newest_one_is_named_and_the_older_one_used(tmp_path, damage):
    save(tmp_path, 10, 20)
    damage(tmp_path / "step-0000000020")
    said = []
    assert loaded_step(tmp_path, said.append) == 10
    assert len(said) == 1
    assert "step-0000000020 is damaged" in said[0] and "older" in said[0]


def test_a_manifest_that_agrees_with_other_content_is_the_only_way_in(tmp_path):
    """The arrays of another checkpoint are whole and still not those of this one."""
    save(tmp_path, 10, 20)
    shutil.copy(tmp_path / "step-0000000010/arrays.npz", tmp_path / "step-0000000020/arrays.npz")
    assert loaded_step(tmp_path) == 10


def test_all_damaged_is_none_and_each_is_named(tmp_path):
    save(tmp_path, 10, 20)
    for path in tmp_path.iterdir():
        truncate(path / "arrays.npz")
    said = []
    assert loaded_step(tmp_path, said.append) is None
    assert [("20" in line, "10 is" in line) for line in said] == [(True, False), (False, True)]


def test_damaged_ones_ahead_do_not_displace_what_is_saved_after_them(tmp_path):
    save(tmp_path, 20, 30)
    for path in tmp_path.iterdir():
        truncate(path / "arrays.npz")
    save(tmp_path, 10)  # begun again from the start
    assert names(tmp_path) == ["step-0000000010"]
    assert loaded_step(tmp_path) == 10


def test_a_damaged_one_is_replaced_when_its_step_is_reached_again(tmp_path):
    save(tmp_path, 10, 20)
    truncate(tmp_path / "step-0000000020/arrays.npz")
    save(tmp_path, 20)
    assert loaded_step(tmp_path, pytest.fail) == 20


def test_a_half_written_part_is_ignored_and_cleared_away(tmp_path):
    save(tmp_path, 10)
    part = tmp_path / ".part-123"
    shutil.copytree(tmp_path / "step-0000000010", part)
    (part / "manifest.json").unlink()
    assert loaded_step(tmp_path, pytest.fail) == 10
    save(tmp_path, 20)
    assert names(tmp_path) == ["step-0000000010", "step-0000000020"]


@pytest.mark.parametrize("sync", range(5))
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_save_that_fails_anywhere_leaves_the_older_ones(tmp_path, monkeypatch, sync, error):
    save(tmp_path, 10, 20)
    calls, real = [], os.fsync

    def fail(descriptor):
        calls.append(1)
        if len(calls) == sync + 1:
            raise error
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)):
        save(tmp_path, 30)
    monkeypatch.undo()
    assert len(calls) == sync + 1
    # The last flush comes after the rename: by then the new one is complete.
    assert loaded_step(tmp_path, pytest.fail) == (30 if sync == 4 else 20)
    assert {"step-0000000010", "step-0000000020"} <= set(names(tmp_path))
    assert not [name for name in names(tmp_path) if name.startswith(".part")]
    save(tmp_path, 30)
    assert loaded_step(tmp_path, pytest.fail) == 30


def test_everything_is_flushed_before_the_checkpoint_has_its_name(tmp_path, monkeypatch):
    """A power cut must not leave the name without the content."""
    final, events = tmp_path / "step-0000000001", []
    monkeypatch.setattr(os, "fsync", lambda descriptor: events.append(final.exists()))
    save(tmp_path, 1)
    assert events == [False] * 4 + [True]  # arrays, state, manifest, folder; then the parent


def test_object_arrays_are_never_loaded(tmp_path):
    """A manifest can be forged with its file; what could run code stays out all the same."""
    save(tmp_path, 1)
    folder = tmp_path / "step-0000000001"
    np.savez(folder / "arrays.npz", evil=np.array([{"a": 1}], dtype=object))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["arrays.npz"] = hashlib.sha256((folder / "arrays.npz").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        checkpoints.load(tmp_path)
