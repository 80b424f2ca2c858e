"""Emoji: the table, the reader of iconify's files, what is drawn, the cache, and hostile files."""

import json
import os
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import datasets
from datasets import home
from datasets.errors import DataError
from datasets.sets import arrays, emoji, sources
from datasets.tasks.episodes import EpisodeSampler

RED, BLUE, BLACK, WHITE = (255, 0, 0), (0, 0, 255), (0, 0, 0), (255, 255, 255)
LEFT = '<path fill="red" d="M0 0h8v16h-8z"/>'  # the left half of 16 x 16
FILES = [part.layouts[0] for part in sources.EMOJI_PARTS]
NAMES = ("half", "dot", "bar")
TABLE = """hexcode,name,label,group,subgroup,keywords,drawings,split
1,half,a half,shapes,halves,left|red,9,train
2,dot,a “dot”,shapes,round,blue,9,val
3,bar,"bar, black",shapes,long,black|line,2,test
"""


def icon(body=LEFT, **more) -> dict:
    return {"body": body, **more}


def write(path, icons, aliases=None, **more):
    """An iconify file whose drawings are 16 x 16 where they do not say otherwise."""
    content = {"prefix": "x", "icons": icons, "width": 16, "height": 16, **more}
    path.write_text(json.dumps(content | ({"aliases": aliases} if aliases else {})), "utf-8")
    return path


def drawn(path, names=("a",), size=8) -> dict:
    """Name to picture of what is drawn of a file."""
    pictures = emoji.draw_files([path], names, size)
    return {names[number]: picture for (number, _), picture in pictures.items()}


def one(path, icon, **more):
    """Picture of a file with one drawing, None where it is left out."""
    return drawn(write(path / "x.json", {"a": icon}, **more)).get("a")


def shows(pixels, colour) -> bool:
    """Whether all pixels have the colour, but for what shrinking adds beside an edge."""
    return (np.abs(pixels - np.array(colour)) < 32).all()


def fault(path, icon, **more) -> str:
    """The sentence about a file with one drawing."""
    with pytest.raises(DataError) as caught:
        one(path, icon, **more)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.startswith(str(path))
    return sentence


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Three signs in nine files, of which the last one is only in two, with a table of their own.

    A drawing of hand n has n + 1 columns of its colour.
    """
    (tmp_path / "table.csv").write_text(TABLE, "utf-8")
    (tmp_path / "data/emoji").mkdir(parents=True)
    for number, name in enumerate(FILES):
        body = f'<path fill="{{}}" d="M0 0h{number + 1}v16h-16z"/>'
        icons = {"half": icon(body.format("red")), "dot": icon(body.format("blue"))}
        if number in (0, 5):
            icons["bar"] = icon(body.format("black"))
        write(tmp_path / "data/emoji" / name, icons)
    monkeypatch.setattr(emoji, "TABLE", tmp_path / "table.csv")
    monkeypatch.setenv("METAZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("METAZOO_DATA", str(tmp_path / "data"))
    return tmp_path / "data/emoji"


# --- the table ------------------------------------------------------------------------------------


def test_the_table_has_the_stated_counts():
    signs = emoji.read_table(emoji.TABLE)
    drawings = np.array([sign.drawings for sign in signs])
    assert len(signs) == len({sign.label for sign in signs}) == 1487
    assert [sum(s.split == split for s in signs) for split in emoji.SPLITS] == [952, 178, 357]
    assert (drawings == 9).sum() == 893 and (drawings >= 6).sum() == 1132
    assert drawings.min() == 5 and drawings.sum() == 11578
    assert all(sign.keywords and all(sign.keywords) for sign in signs)


def test_no_subgroup_is_in_two_splits():
    found = {}
    for sign in emoji.read_table(emoji.TABLE):
        found.setdefault((sign.group, sign.subgroup), set()).add(sign.split)
    assert len(found) == 96 and all(len(splits) == 1 for splits in found.values())


def test_the_license_of_the_table_lies_beside_it():
    text = emoji.TABLE.with_name("emoji_classes_license.txt").read_text("utf-8")
    assert text.startswith("UNICODE LICENSE V3") and "Unicode, Inc." in text


@pytest.mark.parametrize(
    "text",
    [
        "", "\0", TABLE.splitlines()[0], TABLE.replace("drawings", "pictures"),
        TABLE.replace(",9,", ",nine,"), TABLE.replace("dot,", "half,"), TABLE + "4,x\n",
        TABLE.replace("val", "trial"), TABLE.replace('"bar', '"b"ar'), TABLE + "," * 9,
    ],
)  # fmt: skip
def test_a_broken_table_is_one_sentence(tmp_path, text):
    (tmp_path / "x.csv").write_text(text, "utf-8")
    with pytest.raises(DataError, match="x.csv is no table of signs") as caught:
        emoji.read_table(tmp_path / "x.csv")
    assert "\n" not in str(caught.value)


# --- the set --------------------------------------------------------------------------------------


def test_classes_splits_and_words_are_those_of_the_table(tiny):
    data = datasets.load("emoji", offline=True)
    assert (data.name, data.generated, data.source) == ("emoji", False, str(tiny))
    assert data.class_names == ("a half", "a “dot”", "bar, black")
    assert data.words[2] == ("bar, black", "black", "line")
    splits = {name: found.tolist() for name, found in data.splits.items()}
    assert splits == {"train": [0], "val": [1], "test": [2], "all": [0, 1, 2]}
    assert data.items.shape == (20, 32, 32, 3) and data.items.dtype == np.uint8
    assert data.image_shape == (32, 32, 3)
    assert np.bincount(data.item_class).tolist() == [9, 9, 2]


def test_drawings_are_in_the_order_of_signs_and_then_of_hands(tiny):
    data = datasets.load("emoji", offline=True)
    inked = 16 * (data.items[..., 1] < 128).mean(axis=(1, 2))  # columns
    np.testing.assert_allclose(inked, [*range(1, 10), *range(1, 10), 1, 6])
    assert shows(data.items[8, :, 3], RED) and shows(data.items[9 + 8, :, 3], BLUE)


def test_without_the_black_ones_classes_stay_with_fewer_drawings(tiny):
    data = datasets.load("emoji", offline=True, black=False)
    assert np.bincount(data.item_class).tolist() == [7, 7, 1]
    assert data.classes("all").tolist() == [0, 1, 2]
    full = datasets.load("emoji", offline=True)
    black = [FILES.index(f"{hand}.json") for hand in emoji.BLACK]
    np.testing.assert_array_equal(data.items[:7], np.delete(full.items[:9], black, axis=0))


def test_classes_of_too_few_drawings_are_in_no_split(tiny):
    data = datasets.load("emoji", offline=True, black=False, least=6)
    assert [data.classes(name).tolist() for name in ("train", "test", "all")] == [[0], [], [0, 1]]
    assert len(data.items) == 15
    EpisodeSampler(data, "all", way=2, shot=5, query=2).episode(0)
    with pytest.raises(DataError, match="Class bar, black of emoji/all has 1 items"):
        EpisodeSampler(datasets.load("emoji", black=False), "all", way=3, shot=5, query=1)
    with pytest.raises(DataError, match="No class of emoji has 8 items; the largest has 7"):
        datasets.load("emoji", black=False, least=8)


def test_any_size_is_drawn(tiny):
    assert datasets.load("emoji", offline=True, size=20).items.shape == (20, 20, 20, 3)


def test_other_files_than_the_published_are_told(tiny):
    write(tiny / FILES[3], {"half": icon()})
    expected = r"holds 8 drawings of a “dot”, expected 9; move it away and run `python -m datasets"
    with pytest.raises(DataError, match=expected):
        datasets.load("emoji", offline=True)


def test_files_without_any_of_the_signs_are_told(tiny):
    for name in FILES:
        write(tiny / name, {"other": icon()})
    with pytest.raises(DataError, match="holds none of the signs"):
        datasets.load("emoji", offline=True)


def test_without_resvg_one_sentence_says_what_brings_it(tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(DataError, match="pip install -r requirements-emoji.txt brings it, or use"):
        datasets.load("emoji", offline=True)


# --- the cache ------------------------------------------------------------------------------------


def test_the_second_reading_draws_nothing_and_needs_no_resvg(tiny, monkeypatch):
    first = datasets.load("emoji", offline=True)
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    np.testing.assert_array_equal(datasets.load("emoji", offline=True).items, first.items)
    with pytest.raises(DataError, match="requirements-emoji.txt"):  # another size is drawn
        datasets.load("emoji", offline=True, size=31)


def test_changed_files_and_other_signs_are_drawn_again(tiny):
    signs = emoji.read_table(emoji.TABLE)
    first = emoji.read_set(tiny, signs, 8)
    write(tiny / FILES[0], {"half": icon('<path fill="lime" d="M0 0h8v16z"/>')})
    second = emoji.read_set(tiny, signs, 8)
    assert not np.array_equal(first.items[0], second.items[0])
    assert len(emoji.read_set(tiny, signs[1:], 8).items) == 9
    assert len(list((home.cache_folder() / "arrays").glob("emoji-8-*.npz"))) == 3


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "shapes", "order", "classes"])
def test_a_damaged_cache_is_made_again(tiny, damage):
    signs = emoji.read_table(emoji.TABLE)
    first = emoji.read_set(tiny, signs, 32)
    (cached,) = (home.cache_folder() / "arrays").glob("*.npz")
    content = bytearray(cached.read_bytes())
    if damage in ("shapes", "order", "classes"):
        broken = (
            vars(first)
            | {
                "shapes": {"items": first.items[:, :5]},
                "order": {"item_class": first.item_class[::-1]},
                "classes": {"item_class": first.item_class + 1},
            }[damage]
        )
        arrays.save(cached, **broken)
    else:
        content[2000] ^= 0xFF
        kept = {"empty": b"", "cut": content[: len(content) // 2], "flipped": content}[damage]
        cached.write_bytes(bytes(kept))
    again = emoji.read_set(tiny, signs, 32)
    for name, array in vars(first).items():
        np.testing.assert_array_equal(array, getattr(again, name))
    assert emoji._load_cache(cached, 32, len(signs)) is not None  # made again


def test_a_cache_that_cannot_be_written_is_only_slower(tiny):
    home.cache_folder().mkdir()
    (home.cache_folder() / "arrays").write_text("a file where the folder should be")
    assert len(datasets.load("emoji", offline=True).items) == 20


# --- the reader -----------------------------------------------------------------------------------


def test_ground_is_white_and_colours_are_kept(tmp_path):
    picture = one(tmp_path, icon())
    assert shows(picture[:, :3], RED) and shows(picture[:, 5:], WHITE)


def test_current_colour_is_black(tmp_path):
    picture = one(tmp_path, icon('<path fill="currentColor" d="M0 0h8v16h-8z"/>'))
    assert shows(picture[:, :3], BLACK)


@pytest.mark.parametrize(
    ("own", "files"),
    [
        ({"width": 32, "height": 32}, {}),
        ({}, {"width": 32, "height": 32}),
        ({"width": 32, "height": 32}, {"width": 8, "height": 8}),
    ],
)
def test_the_box_of_a_drawing_goes_before_that_of_the_file(tmp_path, own, files):
    picture = one(tmp_path, icon(**own), **files)  # a quarter of the columns, half of the rows
    assert (
        shows(picture[:3, :1], RED) and shows(picture[:, 3:], WHITE) and shows(picture[5:], WHITE)
    )


def test_a_box_may_begin_elsewhere(tmp_path):
    picture = one(tmp_path, icon(left=-8, top=8.0))
    assert shows(picture[:3, 5:], RED)
    assert shows(picture[:, :3], WHITE) and shows(picture[5:], WHITE)


def test_what_is_not_square_lies_in_the_middle(tmp_path):
    body = '<path fill="red" d="M0 0h16v8h-16z"/>'
    picture = one(tmp_path, icon(body, height=8))
    assert shows(picture[3:5], RED) and shows(picture[[0, -1]], WHITE)


@pytest.mark.parametrize("body", ["", '<path d="M0 0h16v16h-16z" fill="#e6e7e8"/>', "<g/>"])
def test_what_is_of_one_tone_is_left_out(tmp_path, body):
    assert one(tmp_path, icon(body)) is None


def test_names_that_stand_for_others_are_followed(tmp_path):
    aliases = {
        "b": {"parent": "a"}, "c": {"parent": "b"}, "wide": {"parent": "a", "width": 32},
        "turned": {"parent": "a", "rotate": 1}, "mirrored": {"parent": "b", "hFlip": True},
        "flipped": {"parent": "a", "vFlip": True}, "as it is": {"parent": "a", "hFlip": False},
        "of turned": {"parent": "turned"},
    }  # fmt: skip
    path = write(tmp_path / "x.json", {"a": icon()}, aliases)
    found = drawn(path, ("a", *aliases, "nowhere"))
    assert set(found) == {"a", "b", "c", "wide", "as it is"}
    for name in ("b", "c", "as it is"):
        np.testing.assert_array_equal(found[name], found["a"])
    assert (found["wide"] != 255).any(axis=-1).sum() < (found["a"] != 255).any(axis=-1).sum()


def test_both_ways_to_refer_to_a_shape_are_known(tmp_path):
    for word in ("href", "xlink:href"):
        body = f'<defs><path id="p" d="M0 0h8v16h-8z"/></defs><use {word}="#p" fill="red"/>'
        assert shows(one(tmp_path, icon(body))[:, :3], RED)


# --- files that are not what they should be -------------------------------------------------------

WRONG = {
    "not JSON": [b"", b"<!doctype html>", b"{", b"\xff\xfe\xfa", b"[" * 200_000, b"1" * 5000],
    "no iconify file": [
        b"[]", b"1", b"null", b'"x"', b"{}", b'{"icons": {}}', b'{"icons": []}', b'{"icons": 1}',
        b'{"icons": {"a": {"body": ""}}, "aliases": []}',
    ],
    "cannot be drawn: a:": [
        b'{"icons": {"a": 1}}', b'{"icons": {"a": {}}}', b'{"icons": {"a": {"body": 1}}}',
        b'{"icons": {"a": {"body": null}}}', b'{"icons": {"a": {"body": "\\ud800"}}}',
        b'{"icons": {"x": {}}, "aliases": {"a": 1}}',
        b'{"icons": {"x": {}}, "aliases": {"a": {}}}',
        b'{"icons": {"x": {}}, "aliases": {"a": {"parent": []}}}',
        b'{"icons": {"x": {}}, "aliases": {"a": {"parent": "y"}}}',
        b'{"icons": {"x": {}}, "aliases": {"a": {"parent": "a"}}}',
        b'{"icons": {"x": {}}, "aliases": {"a": {"parent": "b"}, "b": {"parent": "a"}}}',
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "content"), [(expected, c) for expected, all in WRONG.items() for c in all]
)
def test_what_is_no_file_of_signs_is_one_sentence(tmp_path, expected, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(DataError, match=f"x.json.* {expected}") as caught:
        drawn(tmp_path / "x.json")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    write(tmp_path / "x.json", {"a": icon()})
    monkeypatch.setattr(emoji, "MAX_FILE", 20)
    with pytest.raises(DataError, match="x.json has .* bytes; at most 20 are read"):
        drawn(tmp_path / "x.json")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.json")
    with pytest.raises(DataError, match="x.json is a folder or device"):
        drawn(tmp_path / "x.json")


@pytest.mark.parametrize("side", ["width", "height", "left", "top"])
@pytest.mark.parametrize(
    "value",
    [
        "16",
        None,
        True,
        [],
        float("nan"),
        float("inf"),
        1e9,
        pytest.param(10**400, id="digits"),
        -1e9,
    ],
)
def test_impossible_boxes_are_one_sentence(tmp_path, side, value):
    assert f"cannot be drawn: a: its {side} is no" in fault(tmp_path, icon(**{side: value}))
    assert f"its {side} is no" in fault(tmp_path, icon(), **{side: value})


@pytest.mark.parametrize("value", [0, -1, 0.5])
def test_a_drawing_has_an_extent(tmp_path, value):
    assert "its height is not from 1 to 10000" in fault(tmp_path, icon(height=value))


OUTSIDE = ("file:///etc/passwd", "http://127.0.0.1/x", "x.svg", "../x.png", "data:image/png,x", "")


@pytest.mark.parametrize("target", OUTSIDE)
@pytest.mark.parametrize(
    "body",
    [
        '<use href="{}"/>', "<use xlink:href='{}#a'/>", '<use HREF=" {}"/>',
        '<path d="M0 0h9v9" fill="url({}#a)"/>', '<path d="M0 0h9v9" fill="URL( \'{}\' )"/>',
        '<g style="mask:url({})"/>', '<g xmlns:o="o" o:href="{}"/>',
    ],
)  # fmt: skip
def test_what_refers_to_elsewhere_is_refused(tmp_path, target, body):
    if "#" in body and not target:
        return  # refers to itself
    assert "it refers to something outside of it" in fault(tmp_path, icon(body.format(target)))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<image href="#a"/>', "an element 'image'"),
        ('<feImage href="x"/>', "an element 'feImage'"),
        ("<script>1</script>", "an element 'script'"),
        ("<style>@import url(x)</style>", "an element 'style'"),
        ("<text>x</text>", "an element 'text'"),
        ("<foreignObject/>", "an element 'foreignObject'"),
        (f"<{'x' * 5000}/>", f"an element '{'x' * 40}'"),
        ('<path xmlns="http://www.w3.org/1999/xhtml"/>', "an element 'path'"),
        ('<!DOCTYPE svg [<!ENTITY a "b">]>', "declarations"),
        ("<!-- -->", "declarations"),
        ("<![CDATA[x]]>", "declarations"),
        ('<?xml-stylesheet href="x"?>', "declarations"),
        ("&a;", "it is no XML"),
        ("<g>", "it is no XML"),
        ("</svg><svg>", "it is no XML"),
        ("<x:g/>", "it is no XML"),
        ("\0", "it is no XML"),
        ('<g id="a" id="a"/>', "it is no XML"),
        ("<g>" * 40 + "</g>" * 40, "refers to itself"),
        ("<g>" * 50_000 + "</g>" * 50_000, "too large"),
        ("<g/>" * 9_000, "too large"),
        (f'<path d="{"M0 0" * 150_000}"/>', "too large"),
        ('<g id="a"><use href="#a"/></g>', "refers to itself"),
        ('<g id="a" mask="url(#b)"/><mask id="b"><g clip-path="url(#a)"/></mask>', "to itself"),
    ],
)
def test_what_is_no_drawing_is_refused(tmp_path, body, expected):
    assert expected in fault(tmp_path, icon(body))


def test_what_blows_itself_up_is_refused_at_once(tmp_path):
    lines = ['<g id="a0"><path d="M0 0h9v9"/></g>']
    for number in range(9):
        lines.append(f'<g id="a{number + 1}">' + f'<use href="#a{number}"/>' * 10 + "</g>")
    started = time.perf_counter()
    assert "too large or refers to itself" in fault(tmp_path, icon("".join(lines)))
    twice = '<g id="a">' + "<g/>" * 3000 + "</g>" + '<use href="#a"/>' * 3000
    assert "too large" in fault(tmp_path, icon(twice))
    assert time.perf_counter() - started < 2


def test_many_large_drawings_are_too_many(tmp_path, monkeypatch):
    path = write(tmp_path / "x.json", {"a": icon(), "b": icon(), "c": icon()})
    monkeypatch.setattr(emoji, "MAX_WORK_OF_FILE", 600)
    with pytest.raises(DataError, match="c: the drawings up to it are too large"):
        drawn(path, ("a", "b", "c"))


HUGE = (
    '<filter id="a" x="-1e30" width="1e38" height="1e38"><feGaussianBlur stdDeviation="99"/>'
    '</filter><circle r="100" filter="url(#a)"/>'
)
DASHES = '<path d="M0 0h1e3v1e3z" stroke="red" stroke-dasharray="1e-2"/>' * 1500


def test_a_panic_of_the_renderer_is_one_sentence_about_its_drawing(tmp_path, capfd):
    path = write(tmp_path / "x.json", {"a": icon(), "b": icon(HUGE), "c": icon()})
    with pytest.raises(DataError, match=r"x.json cannot be drawn: b: it cannot be drawn; move"):
        drawn(path, ("a", "b", "c"))
    assert capfd.readouterr() == ("", "")


def test_a_drawing_that_takes_for_ever_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(emoji, "MAX_SECONDS", 1.5)
    path = write(tmp_path / "x.json", {"a": icon(), "b": icon(DASHES), "c": icon()})
    with pytest.raises(
        DataError, match=r"x.json cannot be drawn: [ab]: it is not drawn after 1.5 s"
    ):
        drawn(path, ("a", "b", "c"))


# --- anything at all ------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "b", "body", "parent", "width", "left", "rotate"]), inner
        )
    ),
    max_leaves=6,
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["d", "id", "href", "fill", "transform", "mask", "width", "r", "style"]),
    st.sampled_from(
        ["#a", "url(#a)", "url(#b)", "a", "b", "M0 0h9v9z", "M0 0A1e4 1e-9 0 0 1 9 1e4", "1e4",
         "-1", "nan", "scale(9)", "rotate(5)skewX(90)", "100%", "mask:url(#a)", "red", "file:x"]
    ),
    max_size=4,
)  # fmt: skip
TAGS = st.sampled_from(
    ["g", "use", "path", "rect", "circle", "mask", "clipPath", "linearGradient", "stop", "defs"]
)


def marked(tag, attributes, inner) -> str:
    words = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f"<{tag}{words}>{''.join(inner)}</{tag}>"


BODIES = st.recursive(
    st.builds(marked, TAGS, ATTRIBUTES, st.just([])),
    lambda inner: st.builds(marked, TAGS, ATTRIBUTES, st.lists(inner, max_size=3)),
    max_leaves=8,
)


def read(path) -> list[str]:
    """The SVGs of a file, none where one sentence says why not."""
    try:
        return [svg for _, svg in emoji._read_file(path, ("a", "b"), 16)]
    except DataError as error:
        assert "\n" not in str(error)
        return []


@settings(max_examples=150, deadline=None)
@given(VALUES, VALUES, VALUES)
def test_any_json_is_read_or_one_sentence(tmp_path_factory, icons, aliases, width):
    path = tmp_path_factory.getbasetemp() / "any.json"
    content = {"icons": icons, "aliases": aliases, "width": width}
    path.write_text(json.dumps(content), "utf-8")
    read(path)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=50).map(lambda text: text.encode("utf-8")))
def test_any_bytes_are_one_sentence(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes.json"
    path.write_bytes(content)
    read(path)


def test_any_body_is_drawn_or_one_sentence(tmp_path):
    accepted = []

    @settings(max_examples=250, deadline=None)
    @given(BODIES | st.text(alphabet="<>/=\"'&#;!?gapth url()", max_size=40))
    def collect(body):
        accepted.extend(read(write(tmp_path / "x.json", {"a": icon(body)})))

    collect()
    assert len(accepted) > 50
    pngs, reason = emoji.render(accepted)
    assert (reason == "") == (len(pngs) == len(accepted))
    assert all(png.startswith(b"\x89PNG") for png in pngs)


# --- the published files --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published():
    """The real set, never downloaded by a test."""
    try:
        return datasets.load("emoji", offline=True)
    except DataError as missing:
        pytest.skip(str(missing))


@pytest.mark.slow
@pytest.mark.real_data
def test_the_published_files_hold_what_the_table_says(published):
    signs = emoji.read_table(emoji.TABLE)
    assert published.items.shape == (11578, 32, 32, 3)
    expected = [sign.drawings for sign in signs]
    assert np.bincount(published.item_class).tolist() == expected
    assert {name: len(found) for name, found in published.splits.items()} == {
        "train": 952,
        "val": 178,
        "test": 357,
        "all": 1487,
    }
    assert len(published.with_least(6).classes("all")) == 1132
    assert len(published.with_least(9).classes("all")) == 893


@pytest.mark.parametrize("size", [16, 32, 64, 96])
def test_what_is_blank_is_so_at_every_size(tmp_path, size):
    """The edge of a white square is thinner in a large picture, and would count for less."""
    edge = '<path fill="none" stroke="black" stroke-width="{}" d="M0 0h16v16h-16z"/>'
    icons = {"faint": icon(edge.format(0.02)), "plain": icon(edge.format(0.1))}
    assert set(drawn(write(tmp_path / "x.json", icons), tuple(icons), size)) == {"plain"}


@pytest.mark.slow
@pytest.mark.real_data
def test_no_published_picture_is_blank(published):
    assert published.items.reshape(11578, -1).std(axis=1).min() > emoji.BLANK


@pytest.mark.slow
@pytest.mark.real_data
def test_few_published_drawings_stand_for_several_signs(published):
    classes = {}
    for item, number in zip(published.items, published.item_class.tolist(), strict=True):
        classes.setdefault(item.tobytes(), []).append(number)
    shared = [found for found in classes.values() if len(set(found)) > 1]
    assert len(shared) == 43 and sum(map(len, shared)) == 102
    assert len(classes) == 11578 - 102 + 43  # no sign has a drawing twice


@pytest.mark.slow
@pytest.mark.real_data
def test_black_drawings_have_no_colour_and_classes_without_them_at_least_four(published):
    coloured = datasets.load("emoji", offline=True, black=False)
    counts = np.bincount(coloured.item_class)
    assert len(counts) == 1487 and counts.min() == 4 and counts.max() == 7
    whole = emoji.read_set(sources.find("emoji"), emoji.read_table(emoji.TABLE), 32)
    black = whole.items[whole.black]
    assert len(black) == len(published.items) - len(coloured.items)
    assert np.ptp(black.astype(int), axis=-1).max() == 0


@pytest.mark.real_data
def test_the_largest_published_file_is_far_from_the_limits():
    folder = sources.find("emoji")
    if folder is None:
        pytest.skip("METAZOO_DATA holds no emoji")
    icons = emoji.Icons.read(folder / FILES[0])
    found = [icons.find(sign.name) for sign in emoji.read_table(emoji.TABLE)]
    costs = [emoji.work(emoji.to_svg(icon, 64)) for icon in found]
    assert max(costs) < emoji.MAX_WORK / 2 and sum(costs) < emoji.MAX_WORK_OF_FILE / 3
