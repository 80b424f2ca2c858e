"""The zoo: named models with weights and cards; measure them, use them on your own data, take them
elsewhere.

``python -m zoo`` has the same functions as commands. Importing this package loads no TensorFlow;
functions that need it import it when they are called.
"""

from chapters import __version__
from chapters.engine.processor import prefer_onednn
from zoo.catalogue import list_models, published

prefer_onednn()  # the catalogue reads the metric learners' presets, which ask for it anyway


def info(name: str) -> dict:
    """The card of a model: task, data, preprocessing, figures with interval and protocol, recipe.

    Raises:
        ZooError: unknown name, or one without weights.
    """
    from zoo.records import cards

    return cards.read(published(name).folder)


def load(name: str):
    """A model with its published weights, as ``zoo.loading.Loaded``.

    Raises:
        ZooError: unknown name, or files that are missing or not to be trusted.
    """
    from zoo import loading

    return loading.load(name)


def evaluate(model, data: str = "", **asked) -> list[dict]:
    """Measure a model again on its test data.

    Args:
        model: a name or what ``load`` gave.
        data: folder of a model that was trained on a folder of one's own.
        **asked: way, shot, query, episodes, seed, batch_norm: see
            ``chapters.engine.evaluation.Conditions``; without them the protocol of its card.

    Returns:
        Rows with measure, mean, interval (None where nothing is drawn) and protocol.

    Raises:
        ZooError, RunError, DataError: no such model, what is asked does not fit it, no data.
    """
    from zoo import evaluation

    return evaluation.evaluate(model, asked, data)


def predict(model, support, query, plot="", invert=False, unlabelled="", reject=0.0) -> list[dict]:
    """Name files after the classes of a support set: see ``zoo.prediction.predict``."""
    from zoo import prediction

    return prediction.predict(model, support, query, plot, invert, unlabelled, reject)


def learn(model, support, to, known="", invert=False):
    """Keep what a model has to know of a folder's classes in a file, for ``predict``.

    Args:
        model: a name or what ``load`` gave.
        support: folder of class folders.
        to: the file.
        known: an earlier file, to which the folder is added.
        invert: pictures are light on dark.

    Returns:
        What the file holds, a ``zoo.supports.Support``.
    """
    from zoo import supports

    loaded = load(model) if isinstance(model, str) else model
    found = supports.learn(loaded, support, invert)
    if known:
        found = supports.add(supports.read(known), found, loaded.learner)
    supports.write(to, found)
    return found


def forget(known, names, to):
    """Leave classes or files out of a file of ``learn``: see ``zoo.supports.forget``."""
    from zoo import supports

    kept = supports.read(known)
    found = supports.forget(kept, names, supports.model_of(kept, "", known).learner)
    supports.write(to, found)
    return found


def match(model, descriptions, query) -> list[dict]:
    """Say which description fits each file: see ``zoo.prediction.match``."""
    from zoo import prediction

    return prediction.match(model, descriptions, query)


def choose(folder, invert=False, plot="", pattern="*", **options):
    """Try every published model on a folder of class folders: see ``zoo.choosing.choose``."""
    from zoo import choosing

    return choosing.choose(folder, invert, plot, pattern, **options)


def export(model, format: str, folder, data: str = "") -> str:
    """Write a model that adapts and predicts without this package: see ``zoo.exports.exporting``.

    Args:
        model: a name or what ``load`` gave.
        format: a key of ``zoo.exports.formats.FORMATS``.
        folder: new or empty.
        data: folder that a model of one's own was trained on; the file is then tried on its
            pictures too.

    Returns:
        What was written and how far it is from Python, in a sentence.
    """
    from zoo.exports import formats

    formats.find(format)  # before anything is loaded
    from zoo.exports import exporting

    loaded = load(model) if isinstance(model, str) else model
    return exporting.export(loaded.on(data) if data else loaded, format, folder)


def demo(names=(), to="demo", runtime="", tell=print):
    """Write a web page that classifies in the browser: see ``zoo.browser.write``."""
    from zoo import browser
    from zoo.exports import formats

    formats.find("onnx")  # before anything is loaded
    return browser.write(list(names), to, runtime, tell)


def optimizer(model):
    """A published update rule as a Keras optimizer, for ``model.compile``: see ``zoo.optimizing``.

    Args:
        model: a name such as ``rnnprop-digits``, what ``load`` gave, or the folder of a run.
    """
    from zoo import optimizing

    return optimizing.optimizer(model)


def publish(run, name: str, anyway: bool = False):
    """Turn a finished run into a model of the zoo: see ``zoo.publishing.publish``."""
    from zoo import publishing

    return publishing.publish(run, name, anyway)


def reproduce(names=(), to="", share=1.0, hours=0.0, tell=print):
    """Run recorded commands again and compare the figures: see ``zoo.reproducing.reproduce``.

    Args:
        names: of models or records; none for all.
        to: folder of runs and report; below ``runs`` when empty.
        share, hours, tell: see there.

    Returns:
        What became of each, a list of ``zoo.reproducing.Outcome``.
    """
    from zoo import reproducing

    folder = reproducing.folder_of(to, share)
    return reproducing.reproduce(list(names), folder, share, hours, tell)


def calibrate(name: str) -> dict:
    """Fit a model's temperature again, and what tells strangers: see ``zoo.publishing``."""
    from zoo import publishing

    return publishing.calibrate(name)


__all__ = [
    "__version__",
    "calibrate",
    "choose",
    "demo",
    "evaluate",
    "export",
    "forget",
    "info",
    "learn",
    "list_models",
    "load",
    "match",
    "optimizer",
    "predict",
    "publish",
    "reproduce",
]
