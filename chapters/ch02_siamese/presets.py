"""Options and presets of chapter 2; data only."""

from dataclasses import dataclass

from chapters.engine.configuration import Model, RunConfig, Script, System, changed, option
from chapters.experiments.options import MetricOptions

FACE_SETS = ("orl_faces", "sketch_faces")
SOUND_SETS = ("cats_dogs", "synth_sounds")
ENCODERS = ("book", "ours")
ENERGIES = ("euclidean", "cosine")
OURS = ("encoder", "ours")  # what the book's networks do not have


@dataclass(frozen=True)
class SiameseConfig(RunConfig):
    """Options that faces and sounds share."""

    encoder: str = option("ours", "the book's network or ours", choices=ENCODERS)
    dim: int = option(
        160, "numbers of an embedding (our encoder)", minimum=1, maximum=4096, only=OURS
    )
    dropout: float = option(
        0.0, "share of features dropped (our encoder)", minimum=0.0, maximum=0.99, only=OURS
    )
    energy: str = option("euclidean", "distance of two embeddings", choices=ENERGIES)
    margin: float = option(1.0, "distance from which an imposite pair costs nothing", minimum=0.0)
    pairs: int = option(64, "pairs per step", minimum=2, maximum=100_000)
    steps: int = option(200, "training steps of one split or fold", minimum=1)
    optimizer: str = option(
        "adamw",
        "the book's RMSprop, or AdamW with a rate that falls to zero",
        choices=("rmsprop", "adamw"),
    )
    learning_rate: float = option(1e-3, "learning rate at the start", minimum=0.0)
    weight_decay: float = option(
        0.0, "weight decay of AdamW", minimum=0.0, only=("optimizer", "adamw")
    )
    augment: bool = option(True, "train on altered pictures, or on parts of sounds")
    steps_per_epoch: int = option(50, "steps between validations", minimum=1)
    steps_per_call: int = option(10, "steps in one graph call; changes speed only", minimum=1)


@dataclass(frozen=True)
class FacesConfig(SiameseConfig):
    """Options of ``chapters.ch02_siamese.train_faces``."""

    data: str = option("orl_faces", "orl_faces, sketch_faces (generated), or a folder of people")
    splits: int = option(5, "groups of people; each is tested once", minimum=2, maximum=1000)
    val_people: int = option(
        6, "people of every split on whom the threshold is chosen", minimum=2, maximum=100_000
    )
    threshold: float = option(
        0.0,
        "distance below which a pair counts as genuine; 0: chosen on validation people",
        minimum=0.0,
    )
    sample_size: int = option(
        0,
        "pairs of each kind drawn once, as in the book; 0 draws afresh at each step",
        minimum=0,
        maximum=10**7,
    )


@dataclass(frozen=True)
class AudioConfig(SiameseConfig):
    """Options of ``chapters.ch02_siamese.train_audio``; the threshold is half the margin."""

    data: str = option(
        "cats_dogs", "cats_dogs, synth_sounds (generated), or a folder of class folders of sounds"
    )
    folds: int = option(7, "parts of the clips; each is tested once", minimum=2, maximum=1000)
    repeats: int = option(1, "cross-validations, each with other folds", minimum=1, maximum=1000)
    epochs: bool = option(False, "go through all pairs in turn, as in the book; else draw them")
    channels: int = option(
        64, "channels of the convolutions (our encoder)", minimum=1, maximum=4096, only=OURS
    )
    crop: int = option(
        64, "frames of a training clip", minimum=8, maximum=400, only=("augment", True)
    )
    noise: float = option(
        0.2,
        "standard deviation of the noise on normalised features (our encoder)",
        minimum=0.0,
        maximum=1000.0,
        only=OURS,
    )


@dataclass(frozen=True)
class CharactersConfig(MetricOptions):
    """Options of ``chapters.ch02_siamese.train_characters``."""

    margin: float = changed(SiameseConfig, "margin", 2.0)
    way: int = changed(MetricOptions, "way", 60, "classes of a step, whose items make the pairs")


# The book's training: RMSprop at its default rate, batches of 128 pairs, margin 1, threshold 0.5.
BOOK = {
    "encoder": "book",
    "optimizer": "rmsprop",
    "pairs": 128,
    "augment": False,
}

# Ours. Chosen on the validation people of the training part, never on people who are tested.
OUR_FACES = {
    "margin": 1.7,  # unit vectors at a right angle are 1.41 apart: imposite pairs go on counting
    "learning_rate": 3e-4,  # with more the network learns the training people by heart
}

FACES = {
    # No network and no downloads: drawn faces, one to three minutes on two cores.
    "quick": {**OUR_FACES, "data": "sketch_faces", "steps": 100, "steps_per_epoch": 20},
    # The book: 10,000 genuine and 10,000 imposite pairs, of which 11,250 to train (13 epochs of 88
    # batches), 3,750 to validate and 5,000 to test. People are split before they are paired, in the
    # same parts: 22, 8 and 10.
    "book": {
        **BOOK,
        "splits": 4,
        "val_people": 8,
        "threshold": 0.5,
        "sample_size": 10_000,
        "steps": 13 * 88,
        "steps_per_epoch": 88,
    },
    # People never seen: five splits, everybody is tested once.
    "unseen": OUR_FACES,
}

OUR_AUDIO = {
    "dim": 32,
    "dropout": 0.5,  # 24 dogs and 12 cats to learn from
    "weight_decay": 1e-4,
    "pairs": 32,
    "steps": 400,
    "steps_per_epoch": 100,
}

AUDIO = {
    # No network and no downloads: synthesised barks and meows, one to two minutes on two cores.
    "quick": {**OUR_AUDIO, "data": "synth_sounds", "steps": 200, "steps_per_epoch": 50},
    # The book: three dense layers on 20 x 400 MFCC, 13 epochs. All pairs of the training clips
    # instead of 8 of them (E2.13): 288 pairs are 3 batches.
    "book": {**BOOK, "epochs": True, "steps": 13 * 3, "steps_per_epoch": 3, "repeats": 5},
    # Clips never heard: 7-fold cross-validation, five times with other folds.
    "unseen": {**OUR_AUDIO, "repeats": 5},
}

CHARACTERS = {
    # No network and no downloads: characters of random strokes, a minute on two cores.
    "quick": {
        "data": "strokes",
        "way": 20,
        "momentum": 0.9,  # a short run: averages over the last ten steps, not the last hundred
        "steps": 500,
        "halve_every": 200,
        "steps_per_epoch": 100,
        "validation_episodes": 10,  # of 320 images each
        "columns": "5w1s,5w5s,20w1s",
        "test_episodes": 60,
    },
    # As many tasks as the prototypical network of chapter 3 sees.
    "omniglot": {},
}

SCRIPTS = {
    "train_faces": Script(
        "Siamese network on faces: do two pictures show the same person, never seen before?",
        FacesConfig,
        FACES,
    ),
    "train_audio": Script(
        "Siamese network on sounds: do two clips hold the same animal, or sounds of one kind?",
        AudioConfig,
        AUDIO,
    ),
    "train_characters": Script(
        "Siamese network on characters: which of a few drawings is most like a new one?",
        CharactersConfig,
        CHARACTERS,
        without={"shot": "whose pairs are made of one support item per class"},
    ),
}

FACE = Model(
    script="train_faces",
    build="chapters.ch02_siamese.faces:build_learner",
    items="face",
    evaluate="chapters.ch02_siamese.train_faces:evaluate",
    read="chapters.ch02_siamese.faces:read",
)
SOUND = Model(
    script="train_audio",
    build="chapters.ch02_siamese.sounds:build_learner",
    items="sound",
    evaluate="chapters.ch02_siamese.train_audio:evaluate",
    read="chapters.ch02_siamese.sounds:read",
)
CHARACTER = Model(
    script="train_characters",
    build="chapters.ch02_siamese.train_characters:build_learner",
    items="image",
    evaluate="chapters.experiments.images:evaluate",
    read="chapters.experiments.images:read",
)

SYSTEMS = (
    System(
        "siamese network, faces", "says whether two pictures show one person", "siamese-orl-faces"
    ),
    System(
        "siamese network, sounds", "says whether two clips are of one animal", "siamese-cats-dogs"
    ),
)
MODELS = {
    "siamese-orl-faces": FACE,
    "siamese-cats-dogs": SOUND,
    "siamese-omniglot": CHARACTER,
}
