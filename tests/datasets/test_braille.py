"""Braille letters: which characters of Omniglot they are, and the dots that describe them."""

import numpy as np
import pytest

from datasets.errors import DataError
from datasets.sets import braille, omniglot, sources


def test_letters_from_k_repeat_those_from_a_with_a_third_dot():
    """How the alphabet is made: k to t add dot 3 to a to j, u to z (but w) add 3 and 6."""
    dots = {letter: set(places) for letter, places in braille.DOTS.items()}
    for first, second in zip("abcdefghij", "klmnopqrst", strict=True):
        assert dots[second] == dots[first] | {"3"}
    for first, third in zip("abcde", "uvxyz", strict=True):
        assert dots[third] == dots[first] | {"3", "6"}
    assert dots["w"] == {"2", "4", "5", "6"}
    assert len(set(map(frozenset, dots.values()))) == 26


def test_the_letters_are_taken_out_of_omniglot(monkeypatch):
    names = ["Greek/character01", *(f"Braille/character{k:02d}" for k in range(1, 27))]
    items = np.arange(27, dtype=np.uint8)[:, None, None, None] + np.zeros([27, 20, 4, 4], np.uint8)
    whole = omniglot.to_dataset("omniglot", items, names, {}, "somewhere")
    monkeypatch.setattr(omniglot, "load", lambda *_: whole)
    data = braille.load(size=4)
    assert data.items.shape == (520, 4, 4)
    assert "".join(data.class_names) == "abcdefghijklmnopqrstuvwxyz"
    np.testing.assert_array_equal(data.items[data.items_of(2)], 3)  # c is the third letter
    assert data.words[2] == ("c", "dot-1", "dot-4")


def test_published_drawings_have_their_dots_where_the_alphabet_puts_them():
    """In the upper half of the mean drawing: columns of a (left) and of c (left and right)."""
    if not sources.find("omniglot"):
        pytest.skip("Omniglot is not on this machine")
    data = braille.load(offline=True)
    mean = np.stack([data.items[data.items_of(k)].mean(axis=0) for k in range(26)])
    ink = {letter: mean[k].sum() for k, letter in enumerate(data.class_names)}
    # More dots, more ink: letters of one dot, of two, of three, ...
    by_dots = [np.mean([ink[c] for c, dots in braille.DOTS.items() if len(dots) == n])
               for n in range(1, 6)]  # fmt: skip
    assert (np.diff(by_dots) > 0).all()
    wide = {c: (mean[k].sum(axis=0) > 0.2 * mean[k].sum(axis=0).max()).sum()
            for k, c in enumerate(data.class_names)}  # fmt: skip
    one_column = [c for c, dots in braille.DOTS.items() if set(dots) <= set("123")]
    assert max(wide[c] for c in one_column) < min(wide[c] for c in "cgmqx")


def test_without_omniglot_the_error_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("METAZOO_DATA", str(tmp_path))
    monkeypatch.setenv("METAZOO_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataError, match="omniglot"):
        braille.load(offline=True)
