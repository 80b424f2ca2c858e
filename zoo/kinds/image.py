"""Pictures: characters, or a folder of the user's own."""

from pathlib import Path

import datasets
from chapters.experiments import images
from chapters.experiments.folders import has_classes
from chapters.experiments.images import pictures
from chapters.experiments.images.own_folder import load_own
from datasets.readers.folder import FITS
from zoo.kinds.labelled import Labelled


class Image(Labelled):
    """Pictures of any size."""

    takes = "pictures"
    task = "Tell classes of pictures apart, from one or more pictures of each."
    files = "image"
    inverts = True
    stand_in = "strokes"
    cell = (0.8, 1.15)

    def stand_in_of(self, loaded):
        """Characters for what knows them, painted signs for what knows emoji."""
        known = images.SETS.get(loaded.config.data)
        return known.stand_in if known else self.stand_in

    def options(self, loaded):
        """The network's size."""
        return {"size": loaded.item_shape[0]}

    def data(self, loaded):
        """Also an own folder of class folders, where it lies on this machine."""
        name = loaded.config.data
        own = name and name not in datasets.LOADERS and not name.endswith("/")
        there = own and Path(name).is_dir() and has_classes(name)
        return load_own(loaded.config) if there else super().data(loaded)

    def preprocessing(self, loaded):
        """Orientation, ground, colours, size, and which end is ink."""
        height, width, channels = loaded.item_shape
        ink = images.is_ink(loaded.config)
        fit = FITS[getattr(loaded.config, "fit", "auto")]
        return (
            f"upright, transparent parts white, {'grey' if channels == 1 else 'red, green, blue'}, "
            f"{height} x {width} pixels (bilinear; other proportions: {fit}), 0 to 1"
            + (", then 1 minus that: dark strokes on white become bright" if ink else "")
        )

    def picture(self, loaded, width):
        """Generated characters; none of a model that knows other things."""
        return super().picture(loaded, width) if loaded.config.data in images.SETS else None

    def show(self, axis, item, loaded):
        """Ink is drawn dark, a photograph as it is."""
        axis.set_axis_off()
        pictures.image(axis, item, images.is_ink(loaded.config))


KIND = Image()
