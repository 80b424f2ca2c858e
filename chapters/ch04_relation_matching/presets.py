"""Options and presets of chapter 4; data only."""

from dataclasses import dataclass

from chapters.engine.configuration import Model, Script, changed, option
from chapters.experiments.options import ITEMS, MetricOptions

# --- matching network ---

# Batch-norm regime -> column -> accuracy in %. Vinyals et al. (2016), table 1: without full context
# embeddings, which gained nothing on Omniglot, and without fine-tuning.
MATCHING_PUBLISHED = {"stored": {"5w1s": 98.1, "5w5s": 98.9, "20w1s": 93.8, "20w5s": 98.5}}


@dataclass(frozen=True)
class MatchingConfig(MetricOptions):
    """Options of ``chapters.ch04_relation_matching.train_matching``."""

    scale: str = option(
        "learned",
        "factor of the cosine: learned, beginning at 40; or none, as in the paper",
        choices=("learned", "none"),
    )
    context: bool = option(False, "full context embeddings: every item in view of the support set")
    processing_steps: int = option(
        5,
        "K, how often a query reads the support set before it is compared; 0 leaves it as it is",
        minimum=0,
        maximum=100,  # a graph has a copy of each
        only=("context", True),
    )


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
    "steps": 25000,
    "schedule": "cosine",
    "steps_per_epoch": 1000,
    "columns": "5w1s,20w1s,5w5s,20w5s",
}
MATCHING = {
    # No network and no downloads: characters of random strokes, a minute on two cores.
    "quick": {"data": "strokes", "way": 20, **SHORT},
    # The paper: the bare cosine, and as few classes in training as in the tests.
    "paper": {"scale": "none", "way": 20},
    # With a learned scale, trained like the prototypical network of chapter 3.
    "scaled": {},
    "context": {"context": True, "way": 20},
    "emoji": {"way": 40, **EMOJI},
    "emoji_context": {"way": 40, "context": True, **EMOJI},
}

# --- an ordinary classifier ---

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

# --- scripts and models ---

SCRIPTS = {
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
}

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

MODELS = {
    "matching-omniglot": MATCHING_MODEL,
    "matching-omniglot-cosine": MATCHING_MODEL,  # without a scale, as in the paper
    "matching-omniglot-context": MATCHING_MODEL,
    "matching-emoji": MATCHING_MODEL,
    "matching-emoji-context": MATCHING_MODEL,
    "classifier-omniglot": CLASSIFIER_MODEL,
    "classifier-emoji": CLASSIFIER_MODEL,
}
