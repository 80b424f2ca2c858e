"""Look at one episode: its parts, their shapes, and the three things that can be learned.

python -m chapters.ch01_learned_optimizers.tour                   # generated characters
python -m chapters.ch01_learned_optimizers.tour --data emoji      # signs in colour
python -m chapters.ch01_learned_optimizers.tour --way 20 --shot 5
"""

import tensorflow as tf

import datasets
from chapters.ch01_learned_optimizers.hand_made import sgd
from chapters.ch01_learned_optimizers.presets import SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.evaluation import accuracy
from chapters.engine.runs import RunFolder
from chapters.experiments.images import pictures
from datasets.tasks.episodes import EpisodeSampler

INK = ("strokes", "omniglot")  # bright strokes, drawn dark
SIZE = {"strokes": 28, "omniglot": 28, "emoji": 32, "painted_signs": 32}  # pixels
STEPS, RATE = 5, 0.01  # of gradient descent on the support set
AXES = {
    "support_x": "task, way * shot, height, width, channel",
    "support_y": "task, way * shot",
    "query_x": "task, way * query, height, width, channel",
    "query_y": "task, way * query",
}
WHAT = {
    "support_x": "the labelled examples",
    "support_y": "their labels, 0 to way - 1, new in every episode",
    "query_x": "what is to be classified",
    "query_y": "the right answers; a learner never sees them",
}
FAMILIES = """
What can be learned from many such episodes, so that the next one goes better?

  the metric          where to compare: an embedding in which items of a class are close
                      chapters 2 to 5: siamese, prototypical, relation and matching networks, memory
  the initialisation  where to start: first weights from which a few steps lead to a solution
                      chapters 6 to 8: MAML, Meta-SGD, Reptile, gradient agreement
  the optimizer       how to step: a rule that turns gradients into updates
                      this chapter: LSTM optimizer, RNNprop, meta-LSTM
"""


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["tour"], argv)
    device = script.prepare(config.seed)
    options = {"root": config.data_root or None, "offline": config.offline}
    data = datasets.load(config.data, size=SIZE[config.data], **options)
    if config.data not in INK:  # signs have few pictures, and not the same number of them
        data = data.with_least(config.shot + config.query)
    sampler = EpisodeSampler(
        data, "test", config.way, config.shot, config.query, seed=config.seed
    )  # classes that no training would see
    run = RunFolder.open(config, __spec__.name, device)
    episode = sampler.episode(0)
    names = [data.class_names[int(number)] for number in episode.class_ids[0]]
    print(describe(episode, names, data, config))

    answers = {"nearest mean of pixels": nearest_mean, f"{STEPS} gradient steps": few_steps}
    for name, answer in answers.items():
        right = float(accuracy(episode.query_y, answer(episode.inputs))[0])
        print(f"{name.ljust(24)}{100 * right:5.1f} % of the queries right")
    print(f"{'chance'.ljust(24)}{100 / config.way:5.1f} %")
    print(FAMILIES)
    ink = config.data in INK
    run.figure("episode", pictures.episode(nearest_mean, episode, names, ink))
    print(f"The episode, with the answers of the nearest mean, is drawn in {run.path}.")


def describe(episode, names: list[str], data, config) -> str:
    """The parts of an episode with their shapes."""
    generated = ", generated" if data.generated else ""
    lines = [
        f"A task: tell {config.way} classes apart (way), known by {config.shot} example(s) each "
        f"(shot).",
        f"One episode of {data.name}{generated}: {', '.join(names)}.",
        "Support and query share no item; training and test share no class.",
        "",
    ]
    for name, axes in AXES.items():
        shape = str(getattr(episode, name).shape.as_list())
        lines += [f"  {name.ljust(11)}{shape.ljust(22)}{WHAT[name]}", f"{' ' * 13}[{axes}]"]
    return "\n".join(lines) + "\n\nWithout having learned anything from other episodes:\n"


def nearest_mean(inputs, training=False):
    """Logits [task, query, way]: minus the squared distance from a class's mean picture.

    The metric is made by hand: distance of pixels.
    """
    support_x, query_x = flat(inputs["support_x"]), flat(inputs["query_x"])
    way = tf.reduce_max(inputs["support_y"]) + 1
    member = tf.one_hot(inputs["support_y"], way)  # [task, support, way]
    total = tf.einsum("tsw,tsp->twp", member, support_x)  # [task, way, pixel]
    means = total / tf.reduce_sum(member, axis=1)[..., None]
    difference = query_x[:, :, None] - means[:, None]  # [task, query, way, pixel]
    return -tf.reduce_sum(difference**2, axis=-1)  # [task, query, way]


def few_steps(inputs, training=False):
    """Logits [task, query, way] of a linear layer after some gradient steps on the support set.

    Initialisation and optimizer are made by hand: zeros, and gradient descent.
    """
    support_x, query_x = flat(inputs["support_x"]), flat(inputs["query_x"])
    mean = tf.reduce_mean(support_x, axis=1, keepdims=True)  # [task, 1, pixel]
    support_x, query_x = support_x - mean, query_x - mean  # what all have says nothing
    way = tf.reduce_max(inputs["support_y"]) + 1
    theta = tf.zeros([1, support_x.shape[-1], way])  # [task, pixel, way]
    rule = sgd(RATE)
    state = rule.start(tf.shape(theta))
    for _ in range(STEPS):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                inputs["support_y"], support_x @ theta
            )  # [task, support]
            loss = tf.reduce_mean(losses)
        update, state = rule.step(tape.gradient(loss, theta), state)
        theta = theta + update
    return query_x @ theta  # [task, query, way]


def flat(x):
    """[task, item, height, width, channel] -> [task, item, pixel]"""
    return tf.reshape(x, [*x.shape[:2], -1])


if __name__ == "__main__":
    script.run(main)
