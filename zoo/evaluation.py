"""Measuring a published model again, on its own data, with the protocol of its card or another."""

from chapters.engine.evaluation import Conditions
from zoo import catalogue, loading
from zoo.errors import ZooError
from zoo.loaded import Loaded, function
from zoo.records import cards

LEAST = {"way": 2, "shot": 1, "query": 1, "episodes": 2, "seed": 0}  # one episode: no interval


def evaluate(model: str | Loaded, asked: dict, data: str = "") -> list[dict]:
    """Rows with measure, mean, interval and protocol, as in ``metrics.json``.

    Args:
        model: a name or what ``load`` gave.
        asked: fields of ``Conditions`` that differ from the protocol of the model's card; None
            leaves it.
        data: folder of a model that was trained on a folder of the user's own.

    Raises:
        ZooError, ConfigError, DataError: no such model; what is asked does not fit it; no data.
    """
    asked = {name: value for name, value in asked.items() if value is not None}
    for name, least in LEAST.items():
        if name in asked and not least <= asked[name] < 2**30:
            raise ZooError(
                f"--{name} is {asked[name]}; it must be at least {least} and below 2^30."
            )
    loaded = loading.load(model) if isinstance(model, str) else model
    evaluator = catalogue.find(loaded.name).model.evaluate
    if not evaluator:
        raise ZooError(f"{loaded.name} has no evaluation of its own; see its chapter's README.")
    loaded = loaded.on(data)
    given = Conditions(**(protocol(loaded.card) | asked))
    rows = function(evaluator)(loaded.learner, loaded.config, given)
    return [{**row, "method": loaded.name} for row in rows]


def protocol(card: dict) -> dict[str, int]:
    """How many tasks, and drawn with which seed, the figure that stands for a model is of."""
    row = cards.headline_row(card)
    return {name: row[name] for name in ("episodes", "seed") if row.get(name) is not None}
