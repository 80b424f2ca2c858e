"""A folder of the user's own pictures, and the network that a training on them may go on from."""

from chapters.experiments import folders, starting
from chapters.experiments.images.sets import SETS
from chapters.experiments.options import FolderOptions, ImageOptions
from datasets.dataset import Dataset

# What weights depend on, or what pictures look like.
SHARED = ("image_size", "h_dim", "z_dim", "distance", "fit")


def load_own(config: ImageOptions) -> Dataset:
    """The pictures, their classes split in three.

    Raises:
        DataError: see ``folders.load_own``.
    """
    return folders.load_own(
        config,
        "image",
        size=(config.image_size, config.image_size),
        channels=config.channels,
        invert=config.invert,
        fit=config.fit,
    )


def fit_options(config: ImageOptions, data: Dataset) -> ImageOptions:
    """Options that fit a folder; what stands on its head is rarely another class."""
    return folders.fit_options(config, data, "picture(s)", rotations=False)


def fit_start(config: FolderOptions) -> FolderOptions:
    """The options with shape and pictures of the network that is gone on from.

    Raises:
        ConfigError: no such network.
    """
    changes = {}
    if config.data not in SETS:
        known = starting.options_of(config.init)
        source = SETS.get(known.get("data"))
        changes["channels"] = source.channels if source else known.get("channels", 1)
        changes["invert"] = source.ink if source else bool(known.get("invert"))
    return starting.fitted(config, SHARED, **changes)


def propose_start(config: ImageOptions, classes: int) -> None:
    """Say which network to go on from where classes are few."""
    if isinstance(config, FolderOptions):
        name = "prototypical-emoji" if config.channels == 3 else "prototypical-omniglot-1shot"
        starting.propose(config, classes, name)
