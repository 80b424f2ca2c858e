"""Spoken words: pictures of the mel bands over time."""

import numpy as np

import datasets
from datasets.readers import logmel
from datasets.standins import synth_words
from zoo.kinds.labelled import Labelled


class Word(Labelled):
    """Clips of a second, from where they begin to be heard."""

    takes = "spoken words"
    task = "Tell spoken words apart, from one or more clips of each."
    files = "sound"
    stand_in = "synth_words"
    cell = (1.0, 1.2)

    def preprocessing(self, loaded):
        """Front end and its constants."""
        seconds = logmel.FRAMES * logmel.HOP / logmel.RATE
        return (
            f"mono, {logmel.RATE} Hz; log-mel [band, frame, 1] of {logmel.BANDS} bands from "
            f"{logmel.LOWEST:g} to {logmel.HIGHEST:g} Hz, windows of {logmel.WINDOW} samples, hop "
            f"{logmel.HOP}; what is {logmel.SILENCE:g} nepers below the loudest frame is trimmed "
            f"at both ends, the rest cut or filled up to {seconds:g} s; 1 is the loudest moment, 0 "
            f"is {logmel.DEPTH:g} nepers below it"
        )

    def sound_tasks(self, loaded):
        """Tasks whose items are sounds: noise that swells, of three lengths, and synthesised words.

        Zeros follow the shorter ones.
        """
        rng = np.random.default_rng(0)
        noise = [rng.normal(size=n) * np.hanning(n) for n in (3_000, 8_000, 14_000, 5_000)]
        said = synth_words.load_spoken().sounds[:: synth_words.TIMES * synth_words.SPEAKERS][:4]
        return [_task(noise), _task(said)]

    def picture(self, loaded, width):
        """Synthesised words; none of a model that knows other sounds."""
        return super().picture(loaded, width) if loaded.config.data in datasets.LOADERS else None

    def show(self, axis, item, loaded):
        """Bands over time."""
        axis.set_axis_off()
        axis.imshow(item[..., 0], aspect="auto", origin="lower", cmap="magma", vmin=0, vmax=1)


def _task(sounds) -> dict[str, np.ndarray]:
    """Two classes of an example each, and two queries."""
    longest = max(map(len, sounds))
    x = np.stack([np.pad(one, (0, longest - len(one))) for one in sounds]).astype(np.float32)
    return {"support_x": x[:2], "support_y": np.array([0, 1], np.int32), "query_x": x[2:]}


KIND = Word()
