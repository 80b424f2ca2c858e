"""The sets of pictures, and what a network has to know of them."""

from typing import NamedTuple


class Pictures(NamedTuple):
    """What the pictures of a known set are."""

    channels: int
    ink: bool  # strokes, bright: dark ones on white were inverted when they were read
    turned: bool  # whether a turned picture can be of another class
    even: bool  # whether all classes have as many items; tests of others ask what there is
    stand_in: str  # generated set of the same form
    parts: tuple[str, ...] = ()  # sets that it consists of: each has a test of its own


SETS = {
    "omniglot": Pictures(1, ink=True, turned=True, even=True, stand_in="strokes"),
    "strokes": Pictures(1, ink=True, turned=True, even=True, stand_in="strokes"),
    "emoji": Pictures(3, ink=False, turned=False, even=False, stand_in="painted_signs"),
    "painted_signs": Pictures(3, ink=False, turned=False, even=False, stand_in="painted_signs"),
    "emoji_omniglot": Pictures(
        3, ink=False, turned=False, even=False, stand_in="signs_strokes",
        parts=("emoji", "omniglot"),
    ),
    "signs_strokes": Pictures(
        3, ink=False, turned=False, even=False, stand_in="signs_strokes",
        parts=("painted_signs", "strokes"),
    ),
}  # fmt: skip


def is_ink(config) -> bool:
    """Whether bright is ink: dark strokes on white were inverted when they were read."""
    if config.data in SETS:
        return SETS[config.data].ink
    return bool(getattr(config, "invert", False))
