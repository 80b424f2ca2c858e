"""Whatever a card or options file holds: it is read, or refused in one sentence."""

import copy
import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import zoo
from zoo import loading
from zoo.errors import ZooError
from zoo.records import cards, store

FEW = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAMES = st.text(max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)


def places(tree, path=()):
    """Every place of a JSON value: tuples of keys and positions."""
    yield path
    children = {} if not isinstance(tree, list) else dict(enumerate(tree))
    for key, value in (tree if isinstance(tree, dict) else children).items():
        yield from places(value, (*path, key))


def changed(tree, path, value):
    """A copy with another value at a place; without it when the value is Ellipsis."""
    tree = copy.deepcopy(tree)
    if not path:
        return value if value is not ... else {}
    inner = tree
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return tree


CARD = zoo.info("siamese-cats-dogs")
SHORT = {**CARD, "results": CARD["results"][:2], "output": CARD["output"][:2]}
OPTIONS = json.loads((store.FOLDER / "maml-sine-5shot" / store.CONFIG).read_text(encoding="utf-8"))


@FEW
@given(path=st.sampled_from(list(places(SHORT))), value=VALUES | st.just(...))
@example(path=("results", 0, "digits"), value=-1)
@example(path=("results", 0, "digits"), value=10**10)
@example(path=("train_seconds",), value=10**400)
@example(path=("results", 0, "batch_norm"), value=["support"])
@example(path=("results", 0, "batch_norm"), value=...)
@example(path=("results", 0, "values", 0), value=[])
@example(path=("results", 0, "values", 0), value=True)
def test_a_card_with_anything_in_any_place_is_read_or_refused(tmp_path, path, value):
    (tmp_path / store.CARD).write_text(json.dumps(changed(SHORT, path, value)), encoding="utf-8")
    try:
        card = cards.read(tmp_path)
    except ZooError as error:
        assert "\n" not in str(error)
        return
    assert cards.text(card)
    assert all(isinstance(part, str) for part in cards.headline(card))


@FEW
@given(content=st.binary(max_size=60))
def test_a_card_of_any_bytes_is_refused(tmp_path, content):
    (tmp_path / store.CARD).write_bytes(content)
    with pytest.raises(ZooError):
        cards.read(tmp_path)


@FEW
@given(path=st.sampled_from(list(places(OPTIONS))), value=VALUES | st.just(...))
def test_options_with_anything_in_any_place_are_read_or_refused(copied, path, value):
    (copied / store.CONFIG).write_text(json.dumps(changed(OPTIONS, path, value)), encoding="utf-8")
    entry = zoo.catalogue.published("maml-sine-5shot")
    try:
        loading.options(entry, copied / store.CONFIG)
    except ZooError as error:
        assert "\n" not in str(error)
