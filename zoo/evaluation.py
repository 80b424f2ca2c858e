"""Measuring a published model again, on its own data, with the protocol of its card or another."""

from chapters.engine.evaluation import Conditions
from zoo import catalogue, loading
from zoo.errors import ZooError
from zoo.loaded import Loaded, function

DEFAULT = Conditions()
LEAST = {"way": 2, "shot": 1, "query": 1, "episodes": 2, "seed": 0}  # one episode: no interval


def evaluate(model: str | Loaded, given: Conditions = DEFAULT, data: str = "") -> list[dict]:
    """Rows with measure, mean, interval and protocol, as in ``metrics.json``.

    Args:
        model: a name or what ``load`` gave.
        given: what differs from the model's own protocol.
        data: folder of a model that was trained on a folder of the user's own.

    Raises:
        ZooError, ConfigError, DataError: no such model; what is asked does not fit it; no data.
    """
    for name, least in LEAST.items():
        value = getattr(given, name)
        if value is not None and not least <= value < 2**30:
            raise ZooError(f"--{name} is {value}; it must be at least {least} and below 2^30.")
    loaded = loading.load(model) if isinstance(model, str) else model
    evaluator = catalogue.find(loaded.name).model.evaluate
    if not evaluator:
        raise ZooError(f"{loaded.name} has no evaluation of its own; see its chapter's README.")
    loaded = loaded.on(data)
    rows = function(evaluator)(loaded.learner, loaded.config, given)
    return [{**row, "method": loaded.name} for row in rows]
