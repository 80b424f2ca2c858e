"""Options and presets of chapter 5; data only."""

from dataclasses import dataclass

from chapters.engine.configuration import Model, RunConfig, Script, System, changed, option
from chapters.experiments.options import NO_DATA, ONE_DEVICE, counts

# Santoro et al. (2016), table 1 (one-hot labels) and 2 (strings): % right at a presentation.
PUBLISHED = {
    ("one_hot", 5): {"1": 36.4, "2": 82.8, "3": 91.0, "5": 94.9, "10": 98.1},
    ("string", 5): {"1": 0.0, "2": 69.5, "3": 80.4, "5": 88.4, "10": 93.1},
    ("string", 15): {"1": 0.1, "2": 62.6, "3": 79.3, "5": 88.7, "10": 95.3},
}


# What networks without a memory do not have, by the names that the two scripts have for it.
WITH_NTM, WITH_MANN = ("model", "NTM"), ("model", "MANN")


@dataclass(frozen=True)
class MemoryConfig(RunConfig):
    """Options of both training scripts."""

    rnn_size: int = option(
        100, "units of the controller, or of each LSTM layer", minimum=1, maximum=4096
    )
    batch: int = option(1, "sequences per step", minimum=1, maximum=10_000)
    steps: int = option(40000, "training steps", minimum=1)
    steps_per_epoch: int = option(2000, "steps between lines of the log", minimum=1)
    steps_per_call: int = option(200, "steps in one graph call; changes speed only", minimum=1)
    optimizer: str = option("adam", "optimizer", choices=("adam", "rmsprop"))
    learning_rate: float = option(1e-3, "learning rate at the start", minimum=0.0)
    schedule: str = option(
        "cosine",
        "course of the rate; cosine ends at 0",
        choices=("constant", "cosine"),
    )
    clip: float = option(1.0, "largest norm of the gradient; 0 does not clip", minimum=0.0)


@dataclass(frozen=True)
class NTMConfig(MemoryConfig):
    """Options of ``chapters.ch05_memory.train_ntm``."""

    task: str = option("copy", "what to learn", choices=("copy", "repeat_copy", "recall"))
    model: str = option("NTM", "with a memory, or an LSTM alone", choices=("NTM", "LSTM"))
    rnn_layers: int = option(
        1, "layers of --model LSTM", minimum=1, maximum=64, only=("model", "LSTM")
    )
    controller: str = option(
        "lstm", "controller of the memory", choices=("lstm", "feed_forward"), only=WITH_NTM
    )
    memory_size: int = option(128, "slots of the memory", minimum=1, maximum=65_536, only=WITH_NTM)
    memory_vector_dim: int = option(20, "width of a slot", minimum=1, maximum=4096, only=WITH_NTM)
    read_head_num: int = option(1, "read heads", minimum=1, maximum=64, only=WITH_NTM)
    write_head_num: int = option(1, "write heads", minimum=1, maximum=64, only=WITH_NTM)
    addressing_mode: str = option(
        "content_and_location",
        "all four steps of addressing, or by content alone",
        choices=("content_and_location", "content"),
        only=WITH_NTM,
    )
    shift_range: int = option(
        1,
        "largest move of a head in one step",
        minimum=0,
        maximum=1000,
        only=[WITH_NTM, ("addressing_mode", "content_and_location")],
    )
    memory_init: str = option(
        "constant",
        "memory at the start: 1e-6, random numbers that are not trained, or learned",
        choices=("constant", "random", "learned"),
        only=WITH_NTM,
    )
    vector_dim: int = option(8, "bits of a vector", minimum=1, maximum=4096)
    min_length: int = option(
        1, "shortest sequence (for recall: fewest items)", minimum=1, maximum=10_000
    )
    max_length: int = option(
        20, "longest sequence in training (for recall: items)", minimum=1, maximum=10_000
    )
    max_repeats: int = option(
        10,
        "largest number of repeats in training",
        minimum=1,
        maximum=1000,
        only=("task", "repeat_copy"),
    )
    seeds: int = option(1, "networks to train, with consecutive seeds", minimum=1, maximum=1000)
    test_lengths: str = option(
        "10,20,30,50,80,120",
        "lengths of the test, with commas between (recall: items)",
        check=counts,
    )
    test_repeats: str = option(
        "10,20",
        "repeats in the tests, which have --max-length vectors",
        check=counts,
        only=("task", "repeat_copy"),
    )
    test_sequences: int = option(1000, "sequences of each test", minimum=1, maximum=10**7)


NTM = {
    # One to two minutes on two cores for a network that copies without a mistake.
    "quick": {
        "rnn_size": 32,
        "memory_size": 32,
        "memory_vector_dim": 16,
        "max_length": 5,
        "batch": 4,
        "learning_rate": 3e-3,
        "steps": 30000,
        "test_lengths": "5,10,20",
    },
    # The book's sizes; its rate of 1e-4 and 100 updates leave the network where it started (E5.6).
    "book": {
        "rnn_size": 16,
        "memory_size": 16,
        "memory_vector_dim": 5,
        "batch": 5,
        "max_length": 5,
        "learning_rate": 1e-2,
        "test_lengths": "5,10,15",
    },
    # The paper's sizes; one sequence per update as in the paper.
    "paper": {"batch": 4, "steps": 25000, "steps_per_epoch": 500, "seeds": 5},
    "paper_feed_forward": {
        "controller": "feed_forward",  # learns from more updates, not from larger batches
        "seeds": 5,
    },
    "paper_lstm": {
        "model": "LSTM",
        "rnn_size": 256,
        "rnn_layers": 3,
        "batch": 16,  # as many sequences as the NTM has seen
        "steps": 6250,
        "steps_per_epoch": 250,
        "steps_per_call": 50,
    },
    "repeat_copy": {
        "task": "repeat_copy",
        "max_length": 10,
        "batch": 4,
        "learning_rate": 3e-3,
        "clip": 10.0,
        "steps": 25000,
        "steps_per_epoch": 500,
        "test_lengths": "10,20",
    },
    "recall": {
        "task": "recall",
        "vector_dim": 6,
        "batch": 4,
        "steps": 25000,
        "steps_per_epoch": 500,
        "min_length": 2,
        "max_length": 6,
        "test_lengths": "6,10,12,15,20",
    },
}


@dataclass(frozen=True)
class MANNConfig(MemoryConfig):
    """Options of ``chapters.ch05_memory.train_mann``."""

    model: str = option(
        "MANN",
        "with a memory; or without: an LSTM, or a feed-forward network that sees one step",
        choices=("MANN", "LSTM", "feed_forward"),
    )
    data: str = option(
        "omniglot", "omniglot or strokes (generated)", choices=("omniglot", "strokes")
    )
    labels: str = option(
        "one_hot",
        "one-hot over the classes, or a string of five letters, each one of five",
        choices=("one_hot", "string"),
    )
    way: int = option(5, "classes of an episode", minimum=1, maximum=10_000)
    length: int = option(50, "pictures of an episode", minimum=1, maximum=10_000)
    image_size: int = option(20, "height and width in pixels", minimum=8, maximum=512)
    jitter: int = option(
        0, "training pictures move by up to this many pixels", minimum=0, maximum=512
    )
    rotations: bool = option(True, "count every class four times, turned by quarter turns")
    train_split: str = option("trainval", "classes to learn from", choices=("train", "trainval"))
    rnn_size: int = changed(
        MemoryConfig, "rnn_size", 200, "units of the controller, or of the LSTM"
    )
    controller: str = option(
        "lstm", "controller of the memory", choices=("lstm", "feed_forward"), only=WITH_MANN
    )
    memory_size: int = option(128, "slots of the memory", minimum=1, maximum=65_536, only=WITH_MANN)
    memory_vector_dim: int = option(40, "width of a slot", minimum=1, maximum=4096, only=WITH_MANN)
    head_num: int = option(
        4, "read heads, and as many write heads", minimum=1, maximum=64, only=WITH_MANN
    )
    gamma: float = option(
        0.95, "share of the usage that a step keeps", minimum=0.0, maximum=1.0, only=WITH_MANN
    )
    batch: int = changed(MemoryConfig, "batch", 16, "episodes per step")
    learning_rate: float = changed(MemoryConfig, "learning_rate", 3e-3)
    clip: float = changed(MemoryConfig, "clip", 10.0)
    steps: int = changed(MemoryConfig, "steps", 24000)
    steps_per_epoch: int = changed(
        MemoryConfig, "steps_per_epoch", 500, "steps between validations"
    )
    steps_per_call: int = changed(MemoryConfig, "steps_per_call", 50)
    validation_episodes: int = option(160, "episodes of a validation", minimum=1, maximum=10**7)
    test_episodes: int = option(1000, "episodes of the test", minimum=2, maximum=10**7)


MANN = {
    # Generated characters, three classes, a small memory: up to four minutes on two cores.
    "quick": {
        "data": "strokes",
        "train_split": "train",
        "way": 3,
        "length": 20,
        "rnn_size": 100,
        "memory_size": 32,
        "steps": 4000,
        "steps_per_epoch": 200,
        "test_episodes": 200,
    },
    # The paper: 5 classes, 50 pictures, one-hot labels; 1200 characters to learn from.
    "paper": {},
    "paper_feed_forward": {"controller": "feed_forward"},
    "lstm": {"model": "LSTM", "steps": 12000},
    "feed_forward": {"model": "feed_forward", "steps": 5000},
    # Five letters per label: 25 outputs for any number of classes.
    "strings": {"labels": "string", "steps": 12000},
    "strings_15": {"labels": "string", "way": 15, "length": 100, "steps": 12000},
}

SCRIPTS = {
    "train_ntm": Script(
        "Neural Turing machine: copy, repeat copy and associative recall.",
        NTMConfig,
        NTM,
        ONE_DEVICE | NO_DATA,
    ),
    "train_mann": Script(
        "Memory-augmented network: learn characters while they are shown.",
        MANNConfig,
        MANN,
        ONE_DEVICE,
    ),
}

BITS = Model(
    script="train_ntm",
    build="chapters.ch05_memory.train_ntm:build_learner",
    items="sequence",
    evaluate="chapters.ch05_memory.train_ntm:evaluate",
    picture="chapters.ch05_memory.train_ntm:picture",
)
CHARACTERS = Model(
    script="train_mann",
    build="chapters.ch05_memory.train_mann:build_learner",
    items="image",
    evaluate="chapters.ch05_memory.train_mann:evaluate",
    read="chapters.ch05_memory.train_mann:read",
)

SYSTEMS = (
    System("neural Turing machine", "learns to copy with a memory", "ntm-copy"),
    System("memory-augmented network", "learns classes while they are shown", "mann-omniglot"),
)
MODELS = {
    "ntm-copy": BITS,
    "ntm-copy-feed-forward": BITS,
    "ntm-repeat-copy": BITS,
    "ntm-recall": BITS,
    "mann-omniglot": CHARACTERS,
}
