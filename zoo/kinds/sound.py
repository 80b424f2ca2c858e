"""Sounds, as pictures of their MFCC over time."""

import inspect

import numpy as np

from datasets.readers import mfcc
from zoo.kinds.labelled import Labelled


class Sound(Labelled):
    """Clips of any length, cut or filled up to the network's."""

    takes = "sounds"
    task = "Tell kinds of sounds apart, from one or more clips of each."
    files = "sound"
    scale = 100.0
    stand_in = "synth_sounds"
    shown_way = 2
    cell = (1.33, 1.2)

    def preprocessing(self, loaded):
        """The coefficients, and the options they are made with."""
        options = inspect.signature(mfcc.read_sound).parameters.values()
        values = ", ".join(f"{o.name} {o.default}" for o in options if o.default is not o.empty)
        return f"mono, full scale 1, MFCC [coefficient, frame] with {values}; not normalised"

    def show(self, axis, item, loaded):
        """Coefficients over time, without the padding and without the first, the loudness."""
        axis.set_axis_off()
        sound = item[:, np.abs(item).sum(axis=0) > 0]  # [coefficient, frame]
        axis.imshow(sound[1:], aspect="auto", origin="lower", cmap="magma")


KIND = Sound()
