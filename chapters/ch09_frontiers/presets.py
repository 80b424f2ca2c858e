"""Options and presets of chapter 9; data only."""

from dataclasses import dataclass

from chapters.engine.configuration import (
    Model,
    RunConfig,
    Script,
    System,
    changed,
    option,
    shorten,
    suggest,
)
from chapters.engine.errors import ConfigError
from chapters.experiments.options import (
    ITEMS,
    NO_DATA,
    STEPS,
    UNITS,
    AdaptationOptions,
    ImageOptions,
    ImitationOptions,
    MetricOptions,
    SineOptions,
)

IN_PAIRS = {"strategy": "which weighs the tasks of a step against each other on one device"}

# --- learning without labels ----------------------------------------------------------------------

# Hsu, Levine and Finn (2019), table 2: Omniglot, embeddings of ACAI, k-means. Their learners see
# the queries of a test task at once; batch norm has the statistics of all of them.
CLUSTERS_PUBLISHED = {
    "MAML": {"transductive": {"5w1s": 68.84, "5w5s": 87.78, "20w1s": 48.09, "20w5s": 73.36}},
    "prototypical": {"stored": {"5w1s": 68.12, "5w5s": 83.58, "20w1s": 47.75, "20w5s": 66.27}},
}
# Khodadadeh, Boloni and Shah (2019), UMTRA: copies of a picture, MAML.
COPIES_PUBLISHED = {
    "MAML": {"transductive": {"5w1s": 83.80, "5w5s": 95.43, "20w1s": 74.25, "20w5s": 92.12}},
}
COPIES, CLUSTERS = ("labels", "copies"), ("labels", "clusters")
ADAPTS = ("head", "maml", "meta_sgd")


@dataclass(frozen=True)
class WithoutLabels(RunConfig):
    """What stands for the labels of training pictures, of which none is looked at."""

    labels: str = option(
        "copies",
        "what stands for the labels: altered copies, with every picture a class; clusters of an "
        "embedding; or the true labels, which show what labels are worth",
        choices=("copies", "clusters", "true"),
    )
    turn: float = option(
        20.0, "copies: degrees a copy is turned at most", minimum=0.0, maximum=180.0, only=COPIES
    )
    zoom: float = option(
        0.25,
        "copies: share a copy is larger or smaller at most",
        minimum=0.0,
        maximum=0.9,
        only=COPIES,
    )
    shear: float = option(
        0.3, "copies: largest tangent of a copy's slant", minimum=0.0, maximum=2.0, only=COPIES
    )
    shift: float = option(
        0.11,
        "copies: share of the sides a copy is moved at most",
        minimum=0.0,
        maximum=1.0,
        only=COPIES,
    )
    thickness: float = option(
        0.5,
        "copies: how far strokes become thicker or thinner at most; 1 is a pixel all around",
        minimum=0.0,
        maximum=1.0,
        only=COPIES,
    )
    colour: float = option(
        0.0, "copies in colour: how far hues may turn", minimum=0.0, maximum=1.0, only=COPIES
    )
    erase: float = option(
        0.0,
        "copies: side of a square that half of them lose, as a share of the picture's",
        minimum=0.0,
        maximum=0.9,
        only=COPIES,
    )
    embedding: str = option(
        "autoencoder",
        "clusters: of the codes of an autoencoder (ACAI), or of the components of raw pixels",
        choices=("autoencoder", "pixels"),
        only=CLUSTERS,
    )
    clusters: int = option(500, "clusters of a partition", minimum=2, maximum=ITEMS, only=CLUSTERS)
    partitions: int = option(
        50,
        "partitions, each with embeddings scaled in its own way",
        minimum=1,
        maximum=1000,
        only=CLUSTERS,
    )
    dim: int = option(
        64, "numbers of a code, or number of components", minimum=1, maximum=UNITS, only=CLUSTERS
    )
    critic: float = option(
        0.5,
        "weight of fooling a critic that detects mixtures of codes; 0 is a plain autoencoder",
        minimum=0.0,
        only=[CLUSTERS, ("embedding", "autoencoder")],
    )
    embedding_steps: int = option(
        10000,
        "steps of the autoencoder, of 64 pictures each",
        minimum=1,
        only=[CLUSTERS, ("embedding", "autoencoder")],
    )


@dataclass(frozen=True)
class UnlabelledConfig(WithoutLabels, MetricOptions):
    """Options of ``chapters.ch09_frontiers.train_unlabelled``."""

    query: int = changed(ImageOptions, "query", 3)
    augment: bool = changed(ImageOptions, "augment", False, only=("labels", "true"))


@dataclass(frozen=True)
class UnlabelledMAMLConfig(WithoutLabels, AdaptationOptions):
    """Options of ``chapters.ch09_frontiers.train_unlabelled_maml``."""

    augment: bool = changed(ImageOptions, "augment", False, only=("labels", "true"))


SHORT = {"data": "strokes", "steps_per_epoch": 50, "validation_episodes": 20}
SMALL_EMBEDDING = {"clusters": 40, "partitions": 5, "embedding_steps": 200, "dim": 32}
IN_COLOUR = {"data": "emoji", "image_size": 32, "rotations": False, "colour": 0.1, "erase": 0.3}
UNLABELLED = {
    # No network and no downloads: characters of random strokes, a minute on two cores.
    "quick": {
        **SHORT,
        "momentum": 0.9,  # a short run: averages over the last ten steps, not the last hundred
        "steps": 300,
        "schedule": "cosine",
        "columns": "5w1s,5w5s,20w1s",
        "test_episodes": 60,
    },
    "copies": {"steps": 8000, "schedule": "cosine"},
    # Chapter 9 of the book: clusters of an embedding, and few classes in a task.
    "book": {"labels": "clusters", "way": 5, "query": 5, "tasks": 4, "steps": 4000},
    # CACTUs: codes of 256 numbers, 100 partitions, 20 classes with 15 queries.
    "paper": {
        "labels": "clusters",
        "way": 20,
        "query": 15,
        "dim": 256,
        "partitions": 100,
        "steps": 4000,
    },
    "paper_pixels": {
        "labels": "clusters",
        "embedding": "pixels",
        "way": 20,
        "query": 15,
        "partitions": 100,
        "steps": 4000,
    },
    # What labels are worth: the same tasks as those of copies, of true classes.
    "labels": {"labels": "true", "steps": 8000, "schedule": "cosine"},
    "emoji": {**IN_COLOUR, "steps": 8000, "schedule": "cosine"},
}


@dataclass(frozen=True)
class AlterationsConfig(UnlabelledConfig):
    """Options of ``chapters.ch09_frontiers.compare_alterations``."""

    seeds: int = option(1, "networks of every row, each with its own seed", minimum=1, maximum=100)


SHORTER = {"steps": 1500, "schedule": "cosine", "seeds": 2, "columns": "5w1s,20w1s"}
ALTERATIONS = {
    "quick": {
        **UNLABELLED["quick"],
        "steps": 60,
        "steps_per_epoch": 30,
        "validation_episodes": 10,
        "columns": "5w1s,20w1s",
    },
    "omniglot": {**SHORTER},
    "emoji": {**IN_COLOUR, **SHORTER},
}
COPIES_ALONE = {
    "labels": "which compares copies",
    "export": "whose networks have run folders of their own",
    "strategy": "whose networks are small enough for one device",
}

FIVE_WAY = {"query": 5, "tasks": 4, "steps": 5000, "schedule": "cosine", "test_episodes": 600}
UNLABELLED_MAML = {
    "quick": {
        **SHORT,
        "tasks": 4,
        "filters": 32,
        "steps": 300,
        "schedule": "cosine",
        "columns": "5w1s",
        "test_episodes": 100,
    },
    # The book's pairing: clusters and MAML.
    "book": {"labels": "clusters", **FIVE_WAY},
    # CACTUs: five inner steps at 0.05, clusters of 100 partitions of 256 numbers.
    "paper": {
        "labels": "clusters",
        "dim": 256,
        "partitions": 100,
        "inner_rate": 0.05,
        "inner_steps": 5,
        "test_steps": 50,
        **FIVE_WAY,
    },
    # UMTRA: copies, five inner steps at 0.4.
    "copies": {"inner_steps": 5, "test_steps": 5, **FIVE_WAY},
}

# --- task-agnostic meta-learning ------------------------------------------------------------------

# Term -> the method as tables call it.
TERM_NAMES = {
    "entropy": "TAML, entropy",
    "gini": "TAML, Gini",
    "theil": "TAML, Theil",
    "variance_of_logarithms": "TAML, variance of logarithms",
    "generalised_entropy": "TAML, generalised entropy",
    "atkinson": "TAML, Atkinson",
}
INEQUALITY = ",".join(list(TERM_NAMES)[1:])


def terms(text: str, flag: str = "--terms") -> list[str]:
    """``entropy,theil`` -> terms; ConfigError names the one that is none."""
    return names_of(text, flag, TERM_NAMES, "terms")


def names_of(text: str, flag: str, known: dict, called: str) -> list[str]:
    """``a,b`` -> names; ConfigError tells of one that is unknown or comes twice."""
    found = [part.strip() for part in text.split(",")]
    unknown = next((name for name in found if name not in known), None)
    if unknown is not None or len(set(found)) < len(found):
        wrong = f"has {shorten(unknown)!r}" if unknown is not None else "names one twice"
        hint = suggest(shorten(unknown), known) if unknown else ""
        raise ConfigError(
            f"{flag} {wrong}{hint}; the {called} are {', '.join(known)}, with commas between."
        )
    return found


@dataclass(frozen=True)
class AgainstBias(RunConfig):
    """What is added to MAML's loss, and how it is compared with MAML."""

    terms: str = option(
        "theil",
        "what is added to the outer loss, with a network for each: entropy, gini, theil, "
        "variance_of_logarithms, generalised_entropy, atkinson; with commas between",
        check=terms,
    )
    weight: float = option(0.1, "lambda, weight of the term", minimum=0.0)
    adapted: bool = option(
        False, "inequality of the losses after the inner steps, as the book prints it (E9.4)"
    )
    seeds: int = option(
        1, "networks of each method, in pairs with one of MAML", minimum=1, maximum=1000
    )


@dataclass(frozen=True)
class TAMLConfig(AgainstBias, AdaptationOptions):
    """Options of ``chapters.ch09_frontiers.train_taml``."""


@dataclass(frozen=True)
class TAMLSineConfig(AgainstBias, SineOptions):
    """Options of ``chapters.ch09_frontiers.train_taml_sine``."""

    steps: int = changed(SineOptions, "steps", 10000)


TAML = {
    "quick": {
        **SHORT,
        "tasks": 4,
        "filters": 32,
        "steps": 200,
        "terms": "entropy",
        "columns": "5w1s",
        "test_episodes": 100,
    },
    # The book: entropy and its three measures, on the losses after the inner steps (E9.4).
    "book": {
        "terms": "entropy,gini,theil,variance_of_logarithms",
        "adapted": True,
        **FIVE_WAY,
        "steps": 1000,
    },
    # All terms of the paper, five seeds; 32 tasks a step and 60,000 steps are beyond two cores. On
    # validation classes, one seed, weights of 0.01 and 0.03 came to 85.5 to 86.0 % with every term
    # and MAML to 85.7; 0.1 is less with entropy.
    "paper": {
        "terms": ",".join(TERM_NAMES),
        "weight": 0.03,
        "seeds": 5,
        **FIVE_WAY,
        "steps": 1000,
        "columns": "5w1s",
    },
}
TAML_SINE = {
    "quick": {},
    "book": {"terms": "gini,theil,variance_of_logarithms", "adapted": True},
    "paper": {"terms": INEQUALITY, "seeds": 5},
}


def terms_of(config: AgainstBias) -> list[str]:
    """The terms of a run."""
    return terms(config.terms)


# --- concept space --------------------------------------------------------------------------------

# Arm -> the method as tables call it. The last arm of a run is the model it leaves.
ARM_NAMES = {
    "alone": "tasks alone",
    "deeper": "tasks alone, deeper",
    "frozen": "frozen concepts",
    "later": "concepts that come later",
    "joint": "DEML",
}


def arms(text: str, flag: str = "--arms") -> list[str]:
    """``alone,joint`` -> arms; ConfigError names the one that is none."""
    return names_of(text, flag, ARM_NAMES, "arms")


@dataclass(frozen=True)
class ConceptsConfig(MetricOptions):
    """Options of ``chapters.ch09_frontiers.train_concepts``."""

    external: str = option(
        "alphabets",
        "labelled pictures beside the tasks: half of the training classes, by alphabet; emoji, "
        "with signs or their subgroups as classes; or the digits that come with scikit-learn",
        choices=("alphabets", "emoji", "subgroups", "digits"),
    )
    arms: str = option(
        "alone,joint",
        "networks to compare, the first with the others: alone, deeper, frozen, later (concepts "
        "arrive half-way), joint; with commas between",
        check=arms,
    )
    weight: float = option(
        1.0, "lambda, weight of the external labels; 0 is the tasks alone", minimum=0.0
    )
    batch: int = option(128, "external pictures of a step", minimum=2, maximum=ITEMS)
    head: str = option(
        "prototypical",
        "meta-learner on concepts",
        choices=("prototypical", "maml", "meta_sgd"),
    )
    hidden: int = option(64, "units of its hidden layer", minimum=1, maximum=UNITS, only=ADAPTS)
    inner_rate: float = option(
        0.1, "inner rate, or where learned rates begin", minimum=0.0, only=ADAPTS
    )
    inner_steps: int = option(1, "inner steps", minimum=1, maximum=STEPS, only=ADAPTS)
    seeds: int = option(1, "networks of each arm", minimum=1, maximum=1000)
    train_split: str = changed(MetricOptions, "train_split", "train", "classes to learn from")
    schedule: str = changed(MetricOptions, "schedule", "cosine")


ALL_ARMS = {"arms": ",".join(ARM_NAMES), "seeds": 3, "steps": 2000, "test_episodes": 600}
FIVE_CLASSES = {"way": 5, "tasks": 8, "columns": "5w1s,5w5s"}
CONCEPTS = {
    "quick": {
        "data": "strokes",
        "way": 20,
        "momentum": 0.9,
        "steps": 150,
        "steps_per_epoch": 50,
        "validation_episodes": 10,
        "columns": "5w1s,20w1s",
        "test_episodes": 60,
    },
    # The book: any learner on top of the concepts; MAML, which it has taught before.
    "book": {**FIVE_CLASSES, "head": "maml", "steps": 1000},
    # The paper's arms on Omniglot's alphabets, with its best learner, Meta-SGD.
    "paper": {**ALL_ARMS, **FIVE_CLASSES, "head": "meta_sgd"},
    "prototypical": ALL_ARMS,
    "emoji": {**ALL_ARMS, "arms": "alone,joint", "external": "emoji"},
    "subgroups": {**ALL_ARMS, "arms": "alone,joint", "external": "subgroups"},
    "digits": {**ALL_ARMS, "arms": "alone,joint", "external": "digits"},
}


def arms_of(config: ConceptsConfig) -> list[str]:
    """The arms of a run."""
    return arms(config.arms)


# --- imitation ------------------------------------------------------------------------------------

# Policy -> the method as tables call it.
POLICY_NAMES = {
    "conditioned": "told how it ends",
    "lstm": "LSTM policy",
    "cloned": "without a demonstration",
    "mil": "meta-imitation",
}


def beside(text: str, flag: str = "--beside") -> list[str]:
    """``conditioned,lstm`` -> policies; ConfigError names the one that is none."""
    return names_of(text, flag, [name for name in POLICY_NAMES if name != "mil"], "policies")


@dataclass(frozen=True)
class ImitationConfig(ImitationOptions):
    """Options of ``chapters.ch09_frontiers.train_imitation``."""

    inner: str = option(
        "cloning",
        "inner loss: on the actions of a demonstration, zeros where they are not known; or a "
        "learned one, which does not look at actions (DAML)",
        choices=("cloning", "learned"),
    )
    inner_rate: float = option(0.1, "inner rate alpha", minimum=0.0)
    learn_rates: bool = option(True, "a rate of its own for every weight, learned (Meta-SGD)")
    inner_steps: int = option(1, "gradient steps on a demonstration", minimum=1, maximum=STEPS)
    clip: float = option(
        10.0, "numbers of the inner gradient are clipped to this size; 0 does not clip", minimum=0.0
    )
    bias: int = option(
        20, "numbers of the adapted vector beside features", minimum=1, maximum=UNITS
    )
    two_heads: bool = option(
        True, "a head of its own for the inner loss", only=("inner", "cloning")
    )
    adapt_eyes: bool = option(False, "adapt convolutions as well", only=("sight", "pictures"))
    beside: str = option(
        "conditioned,lstm,cloned",
        "policies to compare with, the first by differences: conditioned (told how a demonstration "
        "ends), lstm (reads it), cloned (sees none); with commas between",
        check=beside,
    )
    longer: float = option(
        1.0,
        "training steps of these policies for every one of meta-imitation",
        minimum=0.1,
        maximum=100.0,
    )
    seeds: int = option(1, "policies of each method", minimum=1, maximum=1000)


PICTURES = {
    "sight": "pictures",
    "tasks": 16,
    "learning_rate": 3e-3,
    "steps": 12000,
    "steps_per_epoch": 2000,
    "test_tasks": 600,  # of one seed
}
# A learned loss may have gradients of any size: with numbers of up to 10 the training broke down
# after a third of it, with 1 it goes on (loss and validation colours).
WATCHED = {"shown_by": "other", "inner": "learned", "clip": 1.0}
IMITATION = {
    "quick": {"steps": 6000, "beside": "conditioned,cloned"},
    # The book: behaviour cloning in both loops, one head, one rate.
    "book": {"two_heads": False, "learn_rates": False, "clip": 0.0, "steps": 20000},
    "numbers": {"steps": 20000, "seeds": 3},
    "short": {"steps": 6000, "seeds": 3},
    "few_tasks": {"steps": 20000, "seeds": 3, "among": 100},
    # A step of a policy that is told takes a sixth of the time.
    "same_time": {"steps": 20000, "seeds": 3, "longer": 6.0, "beside": "conditioned"},
    # The authors' script for reaching in simulation; hours on two cores.
    "paper": {
        "sight": "pictures",
        "side": 64,
        "eyes": "strided",
        "filters": 30,
        "hidden": "200,200,200",
        "horizon": 50,
        "adapt_eyes": True,
        "learn_rates": False,
        "two_heads": False,
        "bias": 10,
        "inner_rate": 0.001,
        "clip": 20.0,
        "among": 750,
        "learning_rate": 1e-3,
        "schedule": "constant",
        "query": 1,
        "steps": 30000,
        "beside": "conditioned,lstm",
    },
    "pictures": {**PICTURES, "beside": "conditioned,lstm"},
    "watched": {**PICTURES, **WATCHED, "beside": "conditioned,lstm"},
}


def beside_of(config: ImitationConfig) -> list[str]:
    """The policies that meta-imitation is compared with."""
    return beside(config.beside)


# --- scripts and models ---------------------------------------------------------------------------

SCRIPTS = {
    "train_unlabelled": Script(
        "Learn from pictures without labels: prototypical network on copies or clusters.",
        UnlabelledConfig,
        UNLABELLED,
    ),
    "train_unlabelled_maml": Script(
        "Learn from pictures without labels: MAML on copies or clusters.",
        UnlabelledMAMLConfig,
        UNLABELLED_MAML,
    ),
    "compare_alterations": Script(
        "What each alteration of the copies is worth: networks that learn without one each.",
        AlterationsConfig,
        ALTERATIONS,
        without=COPIES_ALONE,
    ),
    "train_taml": Script(
        "Task-agnostic meta-learning on images, beside MAML: no task is favoured from the start.",
        TAMLConfig,
        TAML,
        without=IN_PAIRS,
    ),
    "train_taml_sine": Script(
        "Task-agnostic meta-learning on sine curves, beside MAML.",
        TAMLSineConfig,
        TAML_SINE,
        without=IN_PAIRS | NO_DATA,
    ),
    "train_concepts": Script(
        "Concept space (DEML): few-shot tasks and an external labelled set at once.",
        ConceptsConfig,
        CONCEPTS,
        without={**IN_PAIRS, "train_split": "which halves the training classes"},
    ),
    "train_imitation": Script(
        "Meta-imitation: do what one demonstration shows, beside policies that are told of it.",
        ImitationConfig,
        IMITATION,
        without={"strategy": "whose policies are small enough for one device", **NO_DATA},
    ),
}

COMPARED = Model(
    script="train_unlabelled",
    build="chapters.ch09_frontiers.train_unlabelled:build_learner",
    items="image",
    evaluate="chapters.ch09_frontiers.unlabelled:evaluate",
    read="chapters.experiments.images:read",
)
ADAPTED = Model(
    script="train_unlabelled_maml",
    build="chapters.ch09_frontiers.train_unlabelled_maml:build_learner",
    items="image",
    evaluate="chapters.experiments.images.adaptation:evaluate",
    read="chapters.experiments.images:read",
)

TAML_PICTURES = Model(
    script="train_taml",
    build="chapters.ch09_frontiers.train_taml:build_learner",
    items="image",
    evaluate="chapters.experiments.images.adaptation:evaluate",
    read="chapters.experiments.images:read",
)
TAML_CURVES = Model(
    script="train_taml_sine",
    build="chapters.ch09_frontiers.train_taml_sine:build_learner",
    items="number",
    evaluate="chapters.experiments.sine:evaluate",
)

CONCEPT_SPACE = Model(
    script="train_concepts",
    build="chapters.ch09_frontiers.train_concepts:build_learner",
    items="image",
    evaluate="chapters.experiments.images:evaluate",
    read="chapters.experiments.images:read",
)

IMITATED = Model(
    script="train_imitation",
    build="chapters.ch09_frontiers.train_imitation:build_learner",
    items="demonstration",
    evaluate="chapters.experiments.imitation:evaluate",
)

SYSTEMS = (
    System(
        "learning without labels",
        "altered copies of pictures stand for classes",
        "unlabelled-omniglot",
    ),
    System("CACTUs", "clusters stand for classes", "cactus-maml-omniglot-5way"),
    System("TAML", "favours no task from the start", "taml-sine"),
    System("meta-imitation", "does what it was shown once", "imitation-reacher"),
    System("DEML", "learns in a space of concepts", "concepts-omniglot"),
)
MODELS = {
    "taml-omniglot-5way": TAML_PICTURES,
    "taml-sine": TAML_CURVES,
    "concepts-omniglot": CONCEPT_SPACE,
    "unlabelled-omniglot": COMPARED,
    "unlabelled-emoji": COMPARED,
    "cactus-omniglot": COMPARED,
    "unlabelled-maml-omniglot-5way": ADAPTED,
    "cactus-maml-omniglot-5way": ADAPTED,
    "imitation-reacher": IMITATED,
    "imitation-reacher-pictures": IMITATED,
    "imitation-reacher-watched": IMITATED,
}
