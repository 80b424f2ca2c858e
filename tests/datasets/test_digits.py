"""Digits of scikit-learn: order, brightness, sizes, and the segments that describe them."""

import numpy as np

from datasets.sets import digits


def test_all_are_there_in_the_order_of_their_classes():
    data = digits.load()
    assert data.items.shape == (1797, 16, 16) and data.items.dtype == np.uint8
    assert (np.diff(data.item_class) >= 0).all()
    assert np.bincount(data.item_class).min() > 170
    assert data.class_names[7] == "seven" and not data.generated


def test_ink_is_bright_and_pictures_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    data, source = digits.load(size=8), load_digits()
    first = np.flatnonzero(source.target == 3)[0]
    expected = source.images[first] * 255 / 16
    np.testing.assert_allclose(data.items[data.items_of(3)[0]], expected, atol=0.51)


def test_segments_are_those_of_a_display():
    """Drawn out: a nine is an eight without e; only one, four and seven have no bottom."""
    lit = {name: set(segments) for name, segments in zip(digits.NAMES, digits.SEGMENTS)}  # noqa: B905
    assert lit["eight"] - lit["nine"] == {"e"} and lit["eight"] - lit["zero"] == {"g"}
    assert {name for name, segments in lit.items() if "d" not in segments} == {
        "one", "four", "seven"
    }  # fmt: skip
    assert len(set(map(frozenset, lit.values()))) == 10  # no two digits look alike
    assert digits.WORDS[1] == ("one", "segment-b", "segment-c")
