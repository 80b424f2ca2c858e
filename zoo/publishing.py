"""From the folder of a finished run to an entry of the zoo: weights, options, card, picture."""

import hashlib
import shutil
from pathlib import Path

from chapters.engine import files
from chapters.engine.results import read
from zoo import calibrating, catalogue, loading
from zoo.errors import ZooError
from zoo.loaded import Loaded
from zoo.records import cards, results, safety, store


def publish(run: str | Path, name: str, anyway: bool = False) -> Path:
    """Copy a finished run's weights into the zoo, write their card, and record the results.

    An entry of this name that is there already is replaced once the new one is complete.

    Args:
        run: folder of a finished run.
        name: declared in a chapter's MODELS, or any other name for a model of one's own.
        anyway: publish figures that should not be relied upon; the card says so.

    Returns:
        The folder of the entry.

    Raises:
        ZooError: the run has not finished, its script makes no models, the name does not fit, or
            its figures are doubtful.
    """
    run = Path(run)
    for part in (store.CONFIG, "metrics.json", "run.json", store.WEIGHTS):
        if not (run / part).is_file():
            raise ZooError(f"{run} holds no {part}; publish the folder of a finished run.")
    metrics = read(run / "metrics.json")
    config = safety.read_json(run / store.CONFIG)
    entry = catalogue.of_run(name, config.get("script", ""))
    folder = store.FOLDER / name
    part = store.FOLDER / f".{name}.part"
    with store.lock():
        part.mkdir(parents=True)
        try:
            _fill(part, run, entry, config, metrics)
            doubts = safety.read_json(part / store.CARD)["doubts"]
            if doubts and not anyway:
                raise ZooError(
                    f"{name} is doubtful: {'; '.join(doubts)}. Train it longer, test it on more "
                    "episodes or splits, or publish it with --anyway; its card then says so."
                )
            with files.replacing(folder, part):
                results.record(run, name)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def calibrate(name: str) -> dict:
    """Calibrate a published model again, and write card and pictures.

    Returns:
        What the card says of it; empty for a model without classes that were kept for validation.

    Raises:
        ZooError: no such model, or files that are not to be trusted.
    """
    entry = catalogue.published(name)
    with store.lock():
        _complete(loading.from_folder(entry, entry.folder), entry, entry.folder)
        return cards.read(entry.folder).get("calibration", {})


def _fill(folder: Path, run: Path, entry: catalogue.Entry, config: dict, metrics: dict) -> None:
    """Everything an entry consists of; the card comes last and from the model as it is loaded."""
    for part in (store.WEIGHTS, store.DECISION):
        if (run / part).exists():
            files.copy(run / part, folder / part)
    files.write_json(folder / store.CONFIG, results.portable(config))
    circumstances = safety.read_json(run / "run.json")
    fields = {"device": str, "python": str, "versions": dict}
    safety.check_fields(run / "run.json", "", circumstances, fields)
    content = (folder / store.WEIGHTS).read_bytes()
    card = {
        "name": entry.name,
        "command": results.command(config, metrics.get("splits", 0)),
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        **{key: circumstances[key] for key in ("device", "python", "versions")},
        **metrics,
    }
    files.write_json(folder / store.CARD, card)
    _complete(loading.from_folder(entry, folder), entry, folder)


def _complete(loaded: Loaded, entry: catalogue.Entry, folder: Path) -> None:
    """What is found by trying the model: calibration, card, pictures."""
    calibration, curves = calibrating.measure(loaded)
    loaded.learner.temperature = calibration.get("temperature", 1.0)
    loaded.card.pop("calibration", None)
    found = {"calibration": calibration} if calibration else {}
    files.write_json(folder / store.CARD, cards.complete(loaded, entry) | found)
    cards.picture(loaded, folder)
    if curves:
        cards.reliability(curves, folder)
