"""Folders of one's own: how many blocks of classes, which are split, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest

from chapters.engine.errors import ConfigError
from chapters.experiments import folders
from datasets.errors import DataError


def write(folder, classes):
    """Class folders of two files each, which are no sounds but are called so."""
    for k in range(classes):
        (folder / f"c{k}").mkdir(parents=True)
        for number in (1, 2):
            (folder / f"c{k}/{number}.wav").write_text(f"{k} {number}")
    return folder


def read(path):
    """The numbers in a file: uint8 [1, 2]."""
    return np.array([path.read_text().split()], np.uint8)


def options(folder, fold=0):
    return SimpleNamespace(data=str(folder), seed=0, fold=fold)


@pytest.mark.parametrize(("classes", "number"), [(6, 3), (10, 5), (12, 6), (20, 5)])
def test_blocks_of_classes_share_none_and_each_is_tested_once(classes, number, tmp_path):
    folder = write(tmp_path / "own", classes)
    assert folders.blocks(str(folder)) == number and folders.has_classes(str(folder))
    parts = [folders.load_own(options(folder, k), "sound", read=read) for k in range(number)]
    tested = np.concatenate([part.classes("test") for part in parts])
    assert len(set(tested)) == len(tested) >= classes - 2
    for part in parts:
        split = folders.classes_by_split(part)
        assert sum(map(len, split.values())) == len({*sum(split.values(), [])}) == classes
    np.testing.assert_array_equal(parts[0].items_of(1), [2, 3])
    np.testing.assert_array_equal(parts[0].items[2:4, 0, 1], [1, 2])


def test_too_few_classes_and_more_folds_than_blocks_are_refused(tmp_path):
    with pytest.raises(DataError, match="has 5 class folder.s.; 6 are needed, 2 each"):
        folders.load_own(options(write(tmp_path / "few", 5)), "sound", read=read)
    with pytest.raises(DataError, match="There is no block 3"):
        folders.load_own(options(write(tmp_path / "own", 6), fold=3), "sound", read=read)


def test_data_are_a_folder_or_a_known_set(tmp_path):
    folders.check(str(tmp_path), ["digits"])
    folders.check("digits", ["digits"])
    with pytest.raises(ConfigError, match="'digit' is neither a folder nor one of digits .did you"):
        folders.check("digit", ["digits"])


def test_the_first_flag_that_is_for_a_folder_is_named():
    config = SimpleNamespace(data="digits")
    folders.refuse_with_set(config, {"--fold 0": False})
    with pytest.raises(ConfigError, match="--fit pad is for a folder and .* with --data digits"):
        folders.refuse_with_set(config, {"--fold 0": False, "--fit pad": True})
