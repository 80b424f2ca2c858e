"""Few-shot classification of images: data, episodes, tests, tables.

The protocol is the same for every chapter: classes are split first, tasks are drawn from one split
each, validation classes choose the weights, test classes are looked at after training.
"""

from chapters.experiments.images.tasks import (
    SETS,
    TEST_SPLIT,
    available,
    class_names,
    describe,
    describe_data,
    even,
    example,
    is_ink,
    item_shape,
    load,
    read,
    read_pictures,
    samplers,
    test_columns,
    test_sampler,
    under_conditions,
)
from chapters.experiments.images.testing import (
    REGIME,
    Scores,
    curve_names,
    evaluate,
    progress_names,
    rows,
    seen,
    table,
)
from chapters.experiments.options import Column, parse_columns

__all__ = [
    "Column",
    "REGIME",
    "SETS",
    "Scores",
    "TEST_SPLIT",
    "available",
    "class_names",
    "curve_names",
    "describe",
    "describe_data",
    "evaluate",
    "even",
    "example",
    "is_ink",
    "item_shape",
    "load",
    "parse_columns",
    "progress_names",
    "read",
    "read_pictures",
    "rows",
    "samplers",
    "seen",
    "table",
    "test_columns",
    "test_sampler",
    "under_conditions",
]
