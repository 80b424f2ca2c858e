"""Whether what was measured again agrees with the record: figure by figure."""

from typing import NamedTuple

from zoo.records import results, wording

KEY = ("method", "measure", "way", "shot", "batch_norm")  # tells the figures of a name apart
DIGITS = 1e-5  # relative; the record has six digits


class Pair(NamedTuple):
    """A recorded figure, and the same one measured again."""

    recorded: dict[str, str]
    found: dict[str, str] | None  # None: the run has no such figure

    @property
    def agrees(self) -> bool:
        """Whether the 95 % intervals of the two meet."""
        if self.found is None:
            return False
        mean, again = (float(row["mean"]) for row in self)
        room = sum(float(row["interval"] or 0) for row in self)
        return abs(mean - again) <= room + DIGITS * abs(mean)

    @property
    def title(self) -> str:
        """Method and heading, ``MAML, 5-way 1-shot (%)``."""
        return f"{self.recorded['method']}, {wording.column(self.recorded)}"

    def cells(self) -> tuple[str, str]:
        """Both figures with their intervals."""
        return tuple("missing" if row is None else wording.cell(row) for row in self)


def pairs(recorded: list[dict[str, str]], found: list[dict]) -> list[Pair]:
    """Every recorded figure with its like.

    Args:
        recorded: rows of ``results.csv`` of one name.
        found: rows of ``metrics.json``.
    """
    again = {_key(row): row for row in map(results.as_text, found)}
    return [Pair(row, again.get(_key(row))) for row in recorded]


def headline(of_name: list[Pair], metrics: dict) -> Pair:
    """The figure that stands for a name: of what was trained, the one that its run puts first."""
    method = metrics.get("method")  # an attack compares and trains none
    first = [row for row in metrics["results"] if row["headline"] and row["method"] == method]
    keys = [_key(results.as_text(row)) for row in first]
    return next((pair for pair in of_name if _key(pair.recorded) in keys), of_name[0])


def _key(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[column] for column in KEY)
