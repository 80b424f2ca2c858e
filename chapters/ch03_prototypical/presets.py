"""Options and presets of chapter 3; data only."""

from dataclasses import dataclass

from chapters.engine.configuration import Model, RunConfig, Script, System, changed, option
from chapters.experiments.options import (
    CLASSES,
    ITEMS,
    ONE_DEVICE,
    STEPS,
    FolderOptions,
    ImageOptions,
    MetricOptions,
    ZeroShotOptions,
)

# --- prototypical network -------------------------------------------------------------------------

# Batch-norm regime -> column -> accuracy in %. Snell et al. (2017), table 1: trained 60-way with
# the shot of the test.
PUBLISHED = {"stored": {"5w1s": 98.8, "5w5s": 99.7, "20w1s": 96.0, "20w5s": 98.9}}


@dataclass(frozen=True)
class TrainConfig(FolderOptions):
    """Options of ``chapters.ch03_prototypical.train``."""

    distance: str = option("euclidean", "distance to a prototype", choices=("euclidean", "cosine"))
    encoder: str = option(
        "",
        "instead of Conv-4: keras:NAME of keras.applications, or MODULE:FUNCTION that builds a "
        "Keras model for the shape of an item",
    )
    encoder_weights: str = option(
        "random",
        "weights of --encoder to begin with: random, a file, or a name that Keras downloads, such "
        "as imagenet",
    )
    frozen: bool = option(False, "--encoder stays as it is: nothing is trained")
    h_dim: int = changed(MetricOptions, "h_dim", 64, only=("encoder", ""))
    z_dim: int = changed(MetricOptions, "z_dim", 64, only=("encoder", ""))
    momentum: float = changed(MetricOptions, "momentum", 0.99, only=("encoder", ""))


# Pictures in colour, 5 to 9 of each of 952 signs: altered ones, or they are learned by heart.
EMOJI = {
    "data": "emoji",
    "image_size": 32,
    "rotations": False,
    "augment": True,
    "way": 40,
    "query": 4,
    "steps": 25000,
    "schedule": "cosine",
    "steps_per_epoch": 1000,
    "columns": "5w1s,20w1s,5w5s,20w5s",
}
TRAIN = {
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
    # The book: 20 epochs of 100 episodes, 50-way 5-shot, Adam at its default rate, a line of loss
    # and accuracy every 20 episodes.
    "book": {
        "way": 50,
        "shot": 5,
        "steps": 2000,
        "halve_every": 0,
        "steps_per_epoch": 100,
        "steps_per_call": 20,
        "validation_episodes": 50,
    },
    # The paper: 60-way, Adam halved every 2000 episodes.
    "paper_1shot": {"shot": 1},
    "paper_5shot": {"shot": 5, "steps": 8000},  # a step has 600 images instead of 360
    "emoji": EMOJI,
    # Signs and characters: 952 classes in colour and 1028 in black on white, tested apart.
    "emoji_omniglot": {**EMOJI, "data": "emoji_omniglot"},
    # For alphabets never seen: nothing of the 20 evaluation alphabets, whose characters the split
    # above puts on both sides.
    "background": {"train_split": "background", "steps": 8000, "halve_every": 1000},
}

# --- Gaussian -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GaussianConfig(FolderOptions):
    """Options of ``chapters.ch03_prototypical.train_gaussian``."""

    plain: bool = option(
        False,
        "trust all items alike and use every channel as embedding: a plain prototypical network "
        "with as many parameters, to compare with",
    )
    component: str = option(
        "radius",
        "precision of an item: one number, or one for each dimension of the embedding",
        choices=("radius", "diagonal"),
    )
    inverse_transform_type: str = option(
        "softplus",
        "how raw precisions become positive: above 1, 1 to 2, 1 to 5, or trained",
        choices=("softplus", "sigmoid", "sigmoid_2", "other"),
        only=("plain", False),
    )
    distance: str = option(
        "root", "distance to a prototype, or its square", choices=("root", "squared")
    )
    damaged_support: float = option(
        0.0, "share of the examples that lose their detail in training", minimum=0.0, maximum=1.0
    )
    damaged_queries: float = option(
        0.0, "share of the queries that lose their detail in training", minimum=0.0, maximum=1.0
    )
    shrink: int = option(
        4,
        "how many times smaller a damaged image is made before it is stretched back",
        minimum=2,
        maximum=512,
    )


# Three quarters of the examples cannot be read (28 x 28 become 2 x 2 pixels), queries are whole:
# whom to trust matters, and can be learned.
DAMAGED = {
    "shot": 5,
    "damaged_support": 0.75,
    "shrink": 14,
    "columns": "5w5s,20w5s,5w1s,20w1s",
}

GAUSSIAN = {
    # No network and no downloads: characters of random strokes.
    "quick": {
        **DAMAGED,
        "data": "strokes",
        "way": 10,
        "momentum": 0.9,
        "steps": 400,
        "halve_every": 150,
        "steps_per_epoch": 100,
        "validation_episodes": 10,
        "columns": "5w5s,20w5s",
        "test_episodes": 60,
        "test_query": 5,
    },
    # As the prototypical network of ``paper_1shot``, with a radius: 60-way, nothing damaged.
    "paper": {"shot": 1},
    "damaged": {
        **DAMAGED,
        "way": 20,
        "steps": 6000,
        "halve_every": 1500,
        "test_episodes": 600,
    },
    # The paper's damage: 7 x 7 pixels, of three quarters of all images.
    "paper_damaged": {
        **DAMAGED,
        "damaged_queries": 0.75,
        "shrink": 4,
        "way": 20,
        "steps": 6000,
        "halve_every": 1500,
        "test_episodes": 600,
    },
    # Signs in colour; their classes have 5 to 9 drawings.
    "emoji": {
        "data": "emoji",
        "image_size": 32,
        "rotations": False,
        "augment": True,
        "way": 40,
        "query": 4,
        "steps": 10000,
        "schedule": "cosine",
        "steps_per_epoch": 1000,
        "columns": "5w1s,20w1s,5w5s,20w5s",
    },
}


@dataclass(frozen=True)
class CompareConfig(GaussianConfig):
    """Options of ``chapters.ch03_prototypical.compare_gaussian``."""

    seeds: int = option(3, "pairs of networks, each pair with its own seed", minimum=1, maximum=100)


COMPARE = {
    "quick": {**GAUSSIAN["quick"], "seeds": 1},
    "damaged": GAUSSIAN["damaged"],
    "paper_damaged": GAUSSIAN["paper_damaged"],
}
BOTH = {
    "plain": "which trains both networks",
    "export": "whose networks have run folders of their own",
    "strategy": "whose networks are small enough for one device",
}

# --- semi-supervised ------------------------------------------------------------------------------

# Method -> number of distractor classes, as trained and tested -> accuracy in %: Ren et al. (2018),
# table 1, Omniglot, 5-way 1-shot.
PUBLISHED_SEMI = {
    "supervised": {0: 94.62, 5: 94.62},
    "semi-supervised inference": {0: 97.45, 5: 95.08},
    "soft k-means": {0: 97.25, 5: 95.01},
    "soft k-means + cluster": {0: 97.68, 5: 97.17},
    "masked soft k-means": {0: 97.52, 5: 97.30},
}
REFINED = ("method", "soft", "cluster", "masked")  # trained with unlabelled items


@dataclass(frozen=True)
class SemiSupervisedConfig(MetricOptions):
    """Options of ``chapters.ch03_prototypical.train_semi_supervised``."""

    method: str = option(
        "masked",
        "use of unlabelled items: none in training; soft k-means; the same with a cluster for "
        "distractors; or with a learned mask",
        choices=("supervised", "soft", "cluster", "masked"),
    )
    way: int = changed(MetricOptions, "way", 5)
    query: int = changed(
        MetricOptions, "query", 1, "query items per class, drawn from labelled ones"
    )
    unlabelled: int = option(
        5, "unlabelled items per class in training", minimum=1, maximum=ITEMS, only=REFINED
    )
    distractors: int = option(
        5,
        "distractor classes of a training task, whose items are among its unlabelled ones",
        minimum=0,
        maximum=CLASSES,
        only=REFINED,
    )
    test_unlabelled: int = option(5, "unlabelled items per class at test", minimum=1, maximum=ITEMS)
    test_distractors: int = option(
        5, "distractor classes of the second test; 0 leaves it out", minimum=0, maximum=CLASSES
    )
    labelled: float = option(
        0.1, "share of each training class's items that have labels", minimum=0.0, maximum=1.0
    )
    label_split: int = option(
        0, "seed that chooses the labelled items", minimum=0, maximum=2 * 10**9
    )
    label_splits: int = option(
        1, "networks to train, each with other labelled items", minimum=1, maximum=100
    )
    refinements: int = option(1, "steps of k-means", minimum=1, maximum=STEPS)
    steps: int = changed(MetricOptions, "steps", 20000)
    steps_per_epoch: int = changed(MetricOptions, "steps_per_epoch", 1000)
    # The authors halve at 6000, 8000, 12,000 and then every 2000 steps: as often, and as far.
    halve_every: int = changed(MetricOptions, "halve_every", 3000)


SEMI_SUPERVISED = {
    # No network and no downloads: characters of random strokes, half of them distractors.
    "quick": {
        "data": "strokes",
        "momentum": 0.9,  # a short run: averages over the last ten steps, not the last hundred
        "steps": 600,
        "halve_every": 250,
        "steps_per_epoch": 200,
        "validation_episodes": 40,
        "columns": "5w1s",
        "test_episodes": 200,
    },
    # The paper, with distractors; --distractors 0 is its other training.
    "supervised": {"method": "supervised"},
    "soft": {"method": "soft"},
    "cluster": {"method": "cluster"},
    "masked": {"method": "masked"},
    # Signs of 5 to 9 pictures: 2 or 3 of them labelled.
    "emoji": {
        "data": "emoji",
        "image_size": 32,
        "rotations": False,
        "labelled": 0.4,
        "unlabelled": 3,
        "test_unlabelled": 3,
        "steps": 8000,
        "halve_every": 1500,
        "columns": "5w1s,20w1s,5w5s,20w5s",
    },
}

# --- zero-shot ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ZeroShotConfig(ZeroShotOptions):
    """Options of ``chapters.ch03_prototypical.train_zero_shot``."""

    start: str = option(
        "random",
        "where the embedding of descriptions begins: at random, with prototypes of length one as "
        "in the paper; or at ridge regression of class means, with prototypes of any length",
        choices=("random", "regression"),
        only=("hidden", 0),
    )


ZERO_SHOT = {
    # Digits that come with scikit-learn, described by the segments of a display: three of them
    # unseen, ten times.
    "quick": {},
    # Letters of Omniglot described by their dots: six of 26 unseen, ten times.
    "braille": {"data": "braille", "image_size": 28, "unseen": 6, "way": 20},
    # Signs described by name and keywords: 357 unseen ones of other subgroups.
    "emoji": {
        "data": "emoji",
        "image_size": 32,
        "augment": True,
        "feature_steps": 10000,
        "feature_rate": 1e-3,
        "steps": 1000,
        "steps_per_epoch": 200,
        "way": 100,
        "query": 2,
        "start": "regression",
        "word_dropout": 0.5,
        "learning_rate": 3e-4,
    },
}

# --- spoken words ---------------------------------------------------------------------------------

SPOKEN_SETS = ("spoken_words", "synth_words")


@dataclass(frozen=True)
class SpokenConfig(RunConfig):
    """Options of ``chapters.ch03_prototypical.train_spoken``."""

    data: str = option(
        "spoken_words",
        "spoken_words (said by espeak-ng; the test is recordings of digits), synth_words "
        "(generated, no program needed), or a folder of class folders of sounds",
    )
    words: int = option(
        1000,
        "different words; a tenth of them is for validation",
        minimum=50,
        maximum=3000,
        only=("data", "spoken_words"),
    )
    clips: int = option(
        24,
        "clips of each word, in different voices",
        minimum=8,
        maximum=140,
        only=("data", "spoken_words"),
    )
    fold: int = changed(ImageOptions, "fold", 0)
    init: str = changed(
        FolderOptions,
        "init",
        "",
        "go on from the weights of a published model, such as prototypical-words, or of the "
        "folder of a run",
    )
    augment: bool = option(
        True, "training clips are stretched, shifted, tilted in their spectrum, and put in noise"
    )
    way: int = changed(ImageOptions, "way", 20, "words per training episode")
    shot: int = changed(ImageOptions, "shot", 3, "support clips per word")
    query: int = changed(ImageOptions, "query", 5, "query clips per word")
    tasks: int = changed(ImageOptions, "tasks", 1)
    steps: int = changed(ImageOptions, "steps", 8000)
    steps_per_epoch: int = changed(ImageOptions, "steps_per_epoch", 500)
    steps_per_call: int = changed(ImageOptions, "steps_per_call", 10)
    validation_episodes: int = changed(ImageOptions, "validation_episodes", 100)
    columns: str = changed(
        ImageOptions,
        "columns",
        "5w1s,5w5s",
        "for a folder: tests, as <way>w<shot>s with commas between",
    )
    test_episodes: int = changed(ImageOptions, "test_episodes", 1000)
    test_query: int = changed(
        ImageOptions, "test_query", 5, "for a folder: query clips per class at test"
    )
    h_dim: int = changed(MetricOptions, "h_dim", 64)
    z_dim: int = changed(MetricOptions, "z_dim", 64)
    momentum: float = changed(MetricOptions, "momentum", 0.99)
    learning_rate: float = option(1e-3, "Adam's rate at the start; falls to zero", minimum=0.0)


SPOKEN = {
    # No program and no recordings: synthesised words, a minute on two cores.
    "quick": {
        "data": "synth_words",
        "way": 10,
        "momentum": 0.9,
        "steps": 200,
        "steps_per_epoch": 50,
        "validation_episodes": 20,
        "test_episodes": 100,
    },
    "words": {"words": 3000, "steps": 16_000, "validation_episodes": 50},
}

# --- scripts and models ---------------------------------------------------------------------------

SCRIPTS = {
    "train": Script(
        "Prototypical network on Omniglot: classify characters never seen in training.",
        TrainConfig,
        TRAIN,
    ),
    "train_gaussian": Script(
        "Gaussian prototypical network on Omniglot: learns which examples can be trusted.",
        GaussianConfig,
        GAUSSIAN,
    ),
    "compare_gaussian": Script(
        "Gaussian and plain prototypical networks of equal size, trained and tested in pairs.",
        CompareConfig,
        COMPARE,
        without=BOTH,
    ),
    "train_semi_supervised": Script(
        "Semi-supervised prototypical network: unlabelled items refine the prototypes.",
        SemiSupervisedConfig,
        SEMI_SUPERVISED,
    ),
    "train_spoken": Script(
        "Prototypical network on spoken words: learned from a speaking program, for any voice.",
        SpokenConfig,
        SPOKEN,
    ),
    "train_zero_shot": Script(
        "Zero-shot prototypical network: name what nobody has shown, by its description.",
        ZeroShotConfig,
        ZERO_SHOT,
        without=ONE_DEVICE,
    ),
}

CHARACTERS = Model(
    script="train",
    build="chapters.ch03_prototypical.train:build_learner",
    items="image",
    evaluate="chapters.experiments.images:evaluate",
    read="chapters.experiments.images:read",
)

GAUSSIAN_CHARACTERS = CHARACTERS._replace(
    script="train_gaussian", build="chapters.ch03_prototypical.train_gaussian:build_learner"
)
DESCRIBED = Model(
    script="train_zero_shot",
    build="chapters.ch03_prototypical.train_zero_shot:build_learner",
    items="described",
    evaluate="chapters.experiments.zero_shot:evaluate",
    read="chapters.experiments.zero_shot:read",
    describe="chapters.experiments.zero_shot:embed_words",
)
SEMI = Model(
    script="train_semi_supervised",
    build="chapters.ch03_prototypical.train_semi_supervised:build_learner",
    items="image",
    evaluate="chapters.ch03_prototypical.unlabelled_tests:evaluate",
    read="chapters.experiments.images:read",
)

SPOKEN_WORDS = Model(
    script="train_spoken",
    build="chapters.ch03_prototypical.train_spoken:build_learner",
    items="word",
    evaluate="chapters.ch03_prototypical.spoken_tests:evaluate",
    read="chapters.ch03_prototypical.spoken:read",
)

SYSTEMS = (
    System(
        "prototypical network",
        "compares with the mean of a class's examples",
        "prototypical-omniglot-1shot",
    ),
    System(
        "Gaussian prototypical network",
        "trusts some examples more than others",
        "gaussian-omniglot-damaged",
    ),
    System(
        "semi-prototypical network",
        "lets unlabelled pictures refine the means",
        "semi-prototypical-omniglot-masked",
    ),
    System(
        "zero-shot prototypical network", "knows classes by words", "zero-shot-prototypical-emoji"
    ),
    System(
        "prototypical network, spoken words",
        "learned from a speaking program, tested on people",
        "prototypical-words",
    ),
)
MODELS = {
    "prototypical-omniglot-1shot": CHARACTERS,
    "prototypical-omniglot-5shot": CHARACTERS,
    # For alphabets never seen: trained on the publisher's 30 background alphabets alone.
    "prototypical-omniglot-background": CHARACTERS,
    "prototypical-emoji": CHARACTERS,
    "prototypical-emoji-omniglot": CHARACTERS,
    "prototypical-words": SPOKEN_WORDS,
    "gaussian-omniglot": GAUSSIAN_CHARACTERS,
    # Trained where three quarters of the examples are damaged.
    "gaussian-omniglot-damaged": GAUSSIAN_CHARACTERS,
    "gaussian-emoji": GAUSSIAN_CHARACTERS,
    # A tenth of the training drawings has labels; all but the first saw distractors in training.
    "semi-prototypical-omniglot-supervised": SEMI,
    "semi-prototypical-omniglot-soft": SEMI,
    "semi-prototypical-omniglot-cluster": SEMI,
    "semi-prototypical-omniglot-masked": SEMI,
    "semi-prototypical-emoji": SEMI,
    "zero-shot-prototypical-emoji": DESCRIBED,
    "zero-shot-prototypical-braille": DESCRIBED,
}
