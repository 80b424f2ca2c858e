"""Options: schedules of the outer rate, lists of numbers."""

import numpy as np
import pytest

from chapters.engine.errors import ConfigError
from chapters.experiments.options import SineOptions, counts, numbers, outer_rate, widths


@pytest.mark.parametrize(
    ("schedule", "quarter", "half"),
    [("linear", 0.75, 0.5), ("cosine", (1 + np.cos(np.pi / 4)) / 2, 0.5)],
)
def test_schedules_start_at_the_rate_and_end_at_zero(schedule, quarter, half):
    rate = outer_rate(SineOptions(learning_rate=0.2, steps=100, schedule=schedule))
    found = [float(rate(step)) for step in (0, 25, 50, 100)]
    np.testing.assert_allclose(found, [0.2, 0.2 * quarter, 0.2 * half, 0.0], atol=1e-7)


def test_a_constant_rate_is_a_number():
    assert outer_rate(SineOptions(learning_rate=0.2)) == 0.2


def test_numbers_are_read_and_anything_else_is_named():
    assert numbers("0, 1,5,10", "--n") == [0, 1, 5, 10]
    for text in ("0,x", "1.5", "-1", "", "1,,2"):
        with pytest.raises(ConfigError, match=f"--n is {text!r}; expected .* of 0 to 1,000 with"):
            numbers(text, "--n")
    with pytest.raises(ConfigError, match="--n is '1,0'; expected whole numbers of 1 to"):
        numbers("1,0", "--n", least=1)
    assert widths("40, 4096", "--n") == [40, 4096]
    assert counts("1,120", "--n") == [1, 120]
