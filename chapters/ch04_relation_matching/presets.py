"""Options and presets of chapter 4; data only."""

from dataclasses import dataclass

from chapters.engine.configuration import Model, RunConfig, Script, System, changed, option
from chapters.experiments.options import (
    EPISODES,
    ITEMS,
    NO_DATA,
    ONE_DEVICE,
    UNITS,
    FolderOptions,
    MetricOptions,
    ZeroShotOptions,
)

# --- shared ---------------------------------------------------------------------------------------

SHORT = {
    "momentum": 0.9,  # a short run: averages over the last ten steps, not the last hundred
    "steps": 500,
    "halve_every": 200,
    "steps_per_epoch": 100,
    "validation_episodes": 10,  # of 320 images each
    "columns": "5w1s,5w5s,20w1s",
    "test_episodes": 60,
}
# Pictures in colour, 5 to 9 of each of 952 signs: altered ones, or they are learned by heart.
EMOJI = {
    "data": "emoji",
    "image_size": 32,
    "rotations": False,
    "augment": True,
    "query": 4,
    "steps": 10000,
    "schedule": "cosine",
    "steps_per_epoch": 1000,
    "columns": "5w1s,20w1s,5w5s,20w5s",
}

# --- relation network -----------------------------------------------------------------------------

# Batch-norm regime -> column -> accuracy in %. Sung et al. (2018), table 1: one network for each
# column, trained with its way and shot. The authors' code normalises every test batch by itself.
RELATION_PUBLISHED = {
    "transductive": {"5w1s": 99.6, "5w5s": 99.8, "20w1s": 97.6, "20w5s": 99.1},
}


@dataclass(frozen=True)
class RelationConfig(FolderOptions):
    """Options of ``chapters.ch04_relation_matching.train_relation``."""

    way: int = changed(MetricOptions, "way", 20)
    columns: str = changed(MetricOptions, "columns", "5w1s,20w1s,5w5s,20w5s")
    r_dim: int = option(
        64, "channels of the relation function's convolutions", minimum=1, maximum=UNITS
    )
    hidden: int = option(
        8, "units of the relation function's dense layer", minimum=1, maximum=UNITS
    )
    shots: str = option(
        "mean",
        "feature map of a class: the mean over its support items, or their sum, as in the paper; "
        "with the sum, tests need the shot of the training",
        choices=("sum", "mean"),
    )
    objective: str = option(
        "squared_error",
        "squared error of scores, as in the paper; or cross-entropy of the classes",
        choices=("squared_error", "cross_entropy"),
    )
    clip: float = option(
        0.5,
        "longest gradient of each of the two functions; 0 leaves gradients as they are",
        minimum=0.0,
    )


# Three times the usual rate is better on validation classes after 1500 steps, by 0.2 to 2 points.
LONG = {"steps_per_epoch": 1000, "learning_rate": 3e-3, "schedule": "cosine"}
FOUR_TASKS = {"way": 5, "tasks": 4}  # as many classes in a step as a 20-way task has
CLASSES_COMPETE = {"way": 20, "objective": "cross_entropy"}
RELATION = {
    # No network and no downloads: characters of random strokes, a minute on two cores.
    "quick": {
        "data": "strokes",
        "way": 20,
        "momentum": 0.9,  # a short run: averages over the last ten steps, not the last hundred
        "steps": 600,
        "learning_rate": 3e-3,
        "schedule": "cosine",
        "steps_per_epoch": 100,
        "validation_episodes": 10,
        "columns": "5w1s,20w1s,5w5s",
        "test_episodes": 50,
    },
    # The paper's tasks and loss. A million steps of one task, as the authors take, would last a
    # night: fewer of four tasks, and a rate that falls to zero at their end.
    "paper_5way_1shot": {**LONG, **FOUR_TASKS, "query": 19, "steps": 10000},
    "paper_5way_5shot": {**LONG, **FOUR_TASKS, "shot": 5, "query": 15, "steps": 10000},
    # With cross-entropy, which the paper does not have: 92 instead of 88 % in 20-way 1-shot on
    # validation classes after 1500 steps. Numbers of queries are the paper's.
    "paper_20way_1shot": {**LONG, **CLASSES_COMPETE, "query": 10, "steps": 20000},
    "paper_20way_5shot": {**LONG, **CLASSES_COMPETE, "shot": 5, "query": 5, "steps": 20000},
    # Signs in colour, of which there are five to nine drawings.
    "emoji": {**EMOJI, **LONG, **CLASSES_COMPETE},
}

# --- the book's toy -------------------------------------------------------------------------------


@dataclass(frozen=True)
class ToyConfig(RunConfig):
    """Options of ``chapters.ch04_relation_matching.train_toy``."""

    as_printed: bool = option(
        False, "the book's pairs: halves of one record, of classes that do not differ"
    )
    records: int = option(1000, "records of each class", minimum=1, maximum=ITEMS)
    noise: float = option(0.05, "standard deviation of the noise of an episode", minimum=0.0)
    activation: str = option(
        "tanh",
        "activation of all layers but the last; with relu, as in the book, most networks end at an "
        "error of 0.25",
        choices=("tanh", "relu"),
    )
    learning_rate: float = option(0.03, "Adam's rate", minimum=0.0)
    steps: int = option(1000, "episodes, each with all pairs", minimum=1)
    steps_per_epoch: int = option(100, "episodes between printed lines", minimum=1)
    test_batches: int = option(100, "batches of the test", minimum=2, maximum=EPISODES)


TOY = {
    # The book's network, but for tanh and Adam at 0.03: of 24 first weights 22 learn. With ReLU at
    # 0.1, the book's, 1 of 8 does, and with tanh at 0.1 3 of 8: the others end at 0.25.
    "quick": {},
    # What is printed, with the errors of the network mended (E4.4 to E4.6).
    "book": {"as_printed": True, "learning_rate": 0.1},
}

# --- matching network -----------------------------------------------------------------------------

# Batch-norm regime -> column -> accuracy in %. Vinyals et al. (2016), table 1: without full context
# embeddings, which gained nothing on Omniglot, and without fine-tuning.
MATCHING_PUBLISHED = {"stored": {"5w1s": 98.1, "5w5s": 98.9, "20w1s": 93.8, "20w5s": 98.5}}


@dataclass(frozen=True)
class MatchingConfig(FolderOptions):
    """Options of ``chapters.ch04_relation_matching.train_matching``."""

    scale: str = option(
        "learned",
        "factor of the cosine: learned, beginning at 40; or none, as in the paper",
        choices=("learned", "none"),
    )
    context: bool = option(False, "full context embeddings: items see the whole support set")
    processing_steps: int = option(
        5,
        "K, how often a query reads the support set before it is compared; 0: not at all",
        minimum=0,
        maximum=100,  # a graph has a copy of each
        only=("context", True),
    )


MATCHING = {
    # No network and no downloads: characters of random strokes, a minute on two cores.
    "quick": {"data": "strokes", "way": 20, **SHORT},
    # The paper: the bare cosine, and as few classes in training as in the tests.
    "paper": {"scale": "none", "way": 20},
    # With a learned scale, trained like the prototypical network of chapter 3.
    "scaled": {},
    "context": {"context": True, "way": 20},
    "emoji": {"way": 40, **EMOJI},
    # Signs and characters: 952 classes in colour and 1028 in black on white, tested apart.
    "emoji_omniglot": {"way": 40, **EMOJI, "data": "emoji_omniglot"},
    "emoji_context": {"way": 40, "context": True, **EMOJI},
}

# --- an ordinary classifier -----------------------------------------------------------------------

# Table 1 of the same paper, "baseline classifier", compared by cosine. Others reach far more.
CLASSIFIER_PUBLISHED = {"stored": {"5w1s": 80.0, "5w5s": 95.0, "20w1s": 69.5, "20w5s": 89.1}}


@dataclass(frozen=True)
class ClassifierConfig(MetricOptions):
    """Options of ``chapters.ch04_relation_matching.train_classifier``."""

    batch: int = option(128, "pictures of a step", minimum=2, maximum=ITEMS)
    way: int = changed(MetricOptions, "way", 2)  # no episodes are trained on
    augment: bool = changed(
        MetricOptions, "augment", False, "each training picture is moved and zoomed"
    )


CLASSIFIER = {
    "quick": {"data": "strokes", **SHORT},
    "omniglot": {},
    "emoji": EMOJI,
}
NO_EPISODES = "which trains on minibatches of all classes"

# --- zero-shot ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ZeroShotConfig(ZeroShotOptions):
    """Options of ``chapters.ch04_relation_matching.train_zero_shot``."""

    hidden: int = changed(ZeroShotOptions, "hidden", 256)
    relation: int = option(
        128, "units of the relation function's hidden layer", minimum=1, maximum=UNITS
    )
    objective: str = changed(RelationConfig, "objective", "squared_error")


# Of 100 pairs one is right: scores that are all near zero have a squared error of a hundredth, and
# training stays there. Cross-entropy compares the scores, as for relation networks of many classes.
MANY_CLASSES = {"objective": "cross_entropy"}
ZERO_SHOT = {
    # Digits that come with scikit-learn, described by the segments of a display: three of them
    # unseen, ten times.
    "quick": {},
    # Letters of Omniglot described by their dots: six of 26 unseen, ten times.
    "braille": {"data": "braille", "image_size": 28, "unseen": 6, "way": 20, **MANY_CLASSES},
    # Signs described by name and keywords: 357 unseen ones of other subgroups.
    "emoji": {
        **MANY_CLASSES,
        "data": "emoji",
        "image_size": 32,
        "augment": True,
        "feature_steps": 10000,
        "steps": 2000,
        "steps_per_epoch": 500,
        "way": 100,
        "query": 2,
        "word_dropout": 0.5,
        "weight_decay": 0.1,
    },
}

# --- scripts and models ---------------------------------------------------------------------------

SCRIPTS = {
    "train_relation": Script(
        "Relation network on Omniglot: the comparison of two items is learned too.",
        RelationConfig,
        RELATION,
    ),
    "train_toy": Script(
        "The book's toy relation network: are two records of the same class?",
        ToyConfig,
        TOY,
        without=ONE_DEVICE | NO_DATA,
    ),
    "train_matching": Script(
        "Matching network: classify by attention over the support set.",
        MatchingConfig,
        MATCHING,
    ),
    "train_classifier": Script(
        "An ordinary classifier whose features are compared by cosine: what episodes must beat.",
        ClassifierConfig,
        CLASSIFIER,
        without=dict.fromkeys(("way", "shot", "tasks"), NO_EPISODES),
    ),
    "train_zero_shot": Script(
        "Zero-shot relation network: name what nobody has shown, by its description.",
        ZeroShotConfig,
        ZERO_SHOT,
        without=ONE_DEVICE,
    ),
}

RELATION_NETWORK = Model(
    script="train_relation",
    build="chapters.ch04_relation_matching.train_relation:build_learner",
    items="image",
    evaluate="chapters.experiments.images:evaluate",
    read="chapters.experiments.images:read",
)
MATCHING_MODEL = Model(
    script="train_matching",
    build="chapters.ch04_relation_matching.train_matching:build_learner",
    items="image",
    evaluate="chapters.experiments.images:evaluate",
    read="chapters.experiments.images:read",
)
CLASSIFIER_MODEL = MATCHING_MODEL._replace(
    script="train_classifier",
    build="chapters.ch04_relation_matching.train_classifier:build_learner",
)
DESCRIBED = Model(
    script="train_zero_shot",
    build="chapters.ch04_relation_matching.train_zero_shot:build_learner",
    items="described",
    evaluate="chapters.experiments.zero_shot:evaluate",
    read="chapters.experiments.zero_shot:read",
    describe="chapters.experiments.zero_shot:embed_words",
)

SYSTEMS = (
    System("relation network", "learns how to compare", "relation-omniglot-20way-1shot"),
    System("matching network", "lets a query look at every example", "matching-omniglot"),
    System(
        "relation network, zero-shot",
        "compares pictures with descriptions",
        "zero-shot-relation-emoji",
    ),
)
MODELS = {
    "relation-omniglot-20way-1shot": RELATION_NETWORK,
    "relation-emoji": RELATION_NETWORK,
    "matching-omniglot": MATCHING_MODEL,
    "matching-omniglot-cosine": MATCHING_MODEL,  # without a scale, as in the paper
    "matching-omniglot-context": MATCHING_MODEL,
    "matching-emoji": MATCHING_MODEL,
    "matching-emoji-omniglot": MATCHING_MODEL,
    "matching-emoji-context": MATCHING_MODEL,
    "classifier-omniglot": CLASSIFIER_MODEL,
    "classifier-emoji": CLASSIFIER_MODEL,
    "zero-shot-relation-emoji": DESCRIBED,
    "zero-shot-relation-braille": DESCRIBED,
}
