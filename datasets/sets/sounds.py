"""Cats and dogs: the book's 42 recordings in the folders Cats, Dogs and Sub_dogs, 14 in each."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.readers.files import numeric_order
from datasets.readers.folder import class_files, load_folder
from datasets.readers.mfcc import read_sound
from datasets.sets import sources

CLASS_OF = {"Cats": "cat", "Dogs": "dog", "Sub_dogs": "dog"}  # folder -> class
CLIPS_PER_FOLDER = 14


@dataclass(frozen=True)
class Clips:
    """Recordings as features, in the order of folders and then of file numbers.

    Attributes:
        features: float32 ``[clip, coefficient, frame]``, not normalised (that needs to know which
            clips are for training, see ``mfcc.Normaliser``), zeros after the sound.
        valid: int32 ``[clip]``, number of frames that are sound and not padding.
        folder: str ``[clip]``, such as ``Sub_dogs``.
        file: str ``[clip]``, path below ``source``, such as ``Sub_dogs/dog_barking_70.wav``.
        source: folder the clips were read from.
        generated: true for a generated stand-in.
        class_of: folder -> class.
    """

    features: np.ndarray
    valid: np.ndarray
    folder: np.ndarray
    file: np.ndarray
    source: str
    generated: bool = False
    class_of: dict[str, str] = field(default_factory=CLASS_OF.copy)

    def __len__(self) -> int:
        return len(self.features)

    @property
    def class_name(self) -> np.ndarray:
        """str ``[clip]``, such as ``cat`` or ``dog``."""
        return np.array([self.class_of[folder] for folder in self.folder])


def load_clips(root=None, offline: bool = False, **options) -> Clips:
    """The 42 recordings, folder by folder.

    Args:
        root: data folder searched first (see ``datasets.home``).
        offline: never download.
        **options: sample rate, window and so on, passed to ``datasets.readers.mfcc.read_sound``.

    Raises:
        DataError: the data cannot be found or fetched, a recording is broken or missing.
    """
    clips = read_clips(sources.locate("cats_dogs", root, offline), **options)
    counts = {folder: int((clips.folder == folder).sum()) for folder in CLASS_OF}
    if set(counts.values()) != {CLIPS_PER_FOLDER}:
        raise DataError(
            f"{clips.source} holds {counts} recordings; expected {CLIPS_PER_FOLDER} in each "
            "folder: move it away and run `python -m datasets get cats_dogs`."
        )
    return clips


def load(root=None, offline: bool = False, **options) -> Dataset:
    """The recordings as a data set of the classes cat and dog; arguments as for ``load_clips``.

    Returns:
        Dataset with items float32 [42, coefficient, frame] and the split ``all``: two classes
        cannot be split by class. ``Clips`` also knows folders and lengths.
    """
    return to_dataset("cats_dogs", load_clips(root, offline, **options))


def read_clips(folder: Path, generated: bool = False, **options) -> Clips:
    """Read ``Cats/*.wav``, ``Dogs/*.wav`` and ``Sub_dogs/*.wav`` below a folder.

    Raises:
        DataError: a folder without recordings, or a recording that cannot be read.
    """
    paths = []
    for name in CLASS_OF:
        found = [path for path in (folder / name).glob("*.wav") if path.name[0] != "."]
        if not found:
            raise DataError(f"{folder / name} holds no .wav files; expected recordings.")
        paths += sorted(found, key=lambda path: numeric_order(path.name))
    features, valid = zip(*(read_sound(path, **options) for path in paths), strict=True)
    return Clips(
        features=np.stack(features),  # [clip, coefficient, frame]
        valid=np.array(valid, np.int32),
        folder=np.array([path.parent.name for path in paths]),
        file=np.array([path.relative_to(folder).as_posix() for path in paths]),
        source=str(folder),
        generated=generated,
    )


def read_own(path: str | Path) -> Clips:
    """A folder of class folders of sounds, in the order of names.

    Raises:
        DataError: whatever ``load_folder`` refuses.
    """
    data = load_folder(path, "sound", val_fraction=0.0, test_fraction=0.0)
    files = class_files(path, "sound")
    heard = (data.items != 0).any(axis=1)  # [clip, frame]; zeros are padding
    return Clips(
        features=data.items,
        valid=heard.sum(axis=1, dtype=np.int32),
        folder=np.array(data.class_names)[data.item_class],
        file=np.array([f"{name}/{file.name}" for name in files for file in files[name]]),
        source=str(path),
        class_of={name: name for name in files},
    )


def to_dataset(name: str, clips: Clips) -> Dataset:
    """Clips as a data set by class; lengths and folders are lost."""
    class_name = clips.class_name.tolist()
    class_names = tuple(dict.fromkeys(class_name))  # clips lie class by class
    return Dataset(
        name=name,
        items=clips.features,
        item_class=np.array([class_names.index(name) for name in class_name], np.int32),
        class_names=class_names,
        splits={"all": np.arange(len(class_names))},
        generated=clips.generated,
        source=clips.source,
    )
