"""What the meta-LSTM has to beat: as many steps of ordinary optimizers, each with its best rate.

They start from random weights, or from those of a network that was trained to tell all training
classes apart; its last layer is new for every task, as the classes are.
"""

import keras
import tensorflow as tf

from chapters.ch01_learned_optimizers.hand_made import RULES
from chapters.ch01_learned_optimizers.meta_lstm import flatten, unflatten
from chapters.ch01_learned_optimizers.networks import conv4
from chapters.engine.functional import as_tensors
from chapters.engine.learner import GradientLearner
from chapters.engine.loop import Loop
from chapters.engine.update import apply_gradients
from chapters.experiments import images
from chapters.experiments.images import adaptation
from chapters.experiments.options import rates
from datasets.tasks.minibatches import Minibatches

OPTIMIZERS = ("SGD", "Adam")
BATCH = 128  # pictures of a step of pretraining
STEPS_PER_EPOCH = 500  # between lines of its log


class FineTuned(GradientLearner):
    """A network that a hand-made rule trains on each task's support set.

    Args:
        network: built Keras model, [item, ...] -> [item, way].
        objective: (y, prediction) -> loss [task].
        rule: key of ``hand_made.RULES``.
        steps: on the support set.

    Attributes:
        rate: of the rule, a variable, so that a search needs one graph.
    """

    def __init__(self, network, objective, rule: str, steps: int):
        super().__init__(network, objective, steps, steps, "support")
        self.rate = tf.Variable(0.0, trainable=False)
        self.rule = RULES[rule](self.rate)

    def inner_loop(self, weights, support_x, support_y, steps):
        """``steps`` steps of the rule: list of [task, ...] -> the same."""
        state = self.rule.start(tf.shape(flatten(weights)))
        for _ in range(steps):
            with tf.GradientTape() as tape:
                tape.watch(weights)
                loss = self.objective(support_y, self.predict_with(weights, support_x))  # [task]
            gradient = flatten(tape.gradient(loss, weights))  # [task, coordinate]
            update, state = self.rule.step(gradient, state)
            weights = unflatten(flatten(weights) + update, weights)
        return weights


def contenders(objective, data, validation, config, run) -> tuple[dict, dict]:
    """Both starts with both optimizers: name -> learner, and name -> the rate that it has."""
    starts = {"random": conv4(images.item_shape(config), config.way, config.filters)}
    starts["pretrained"] = pretrained(data, config, run)
    learners, found = {}, {}
    for start, network in starts.items():
        for rule in OPTIMIZERS:
            name = f"{rule}, {start} start"
            learners[name] = FineTuned(network, objective, rule, config.test_steps)
            found[name] = best_rate(learners[name], validation, config)
            learners[name].rate.assign(found[name])
    return learners, found


def best_rate(learner: FineTuned, validation, config) -> float:
    """The rate of the best accuracy on validation tasks."""
    measure = adaptation.evaluator(learner, validation, config.tuning_episodes, "support")

    def accuracy(rate):
        learner.rate.assign(rate)
        return measure().mean

    return max(rates(config.rates, "--rates"), key=accuracy)


def pretrained(data, config, run) -> keras.Sequential:
    """A network for tasks whose features were learned by telling all training classes apart."""
    batches = Minibatches(data, config.train_split, BATCH, config.seed, rotations=config.rotations)
    classifier = conv4(images.item_shape(config), batches.classes, config.filters)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, max(config.pretraining, 1))
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(classifier.trainable_variables)

    def classify_step(batch, seed=None):
        x, y = batch
        with tf.GradientTape() as tape:
            logits = classifier(x, training=True)  # [item, class]
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)  # [item]
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, classifier.trainable_variables)
        apply_gradients(optimizer, loss, gradients, classifier.trainable_variables)
        return {"loss": loss}

    if config.pretraining:
        print(f"Pretraining: {batches.classes} classes, {config.pretraining} steps.", flush=True)
        Loop(
            classify_step,
            batches,
            model=classifier,
            optimizer=optimizer,
            run=run.sub("pretrained"),
            steps=config.pretraining,
            steps_per_epoch=STEPS_PER_EPOCH,
            steps_per_call=config.steps_per_call,
        )()
    network = conv4(images.item_shape(config), config.way, config.filters)
    features = as_tensors(classifier.trainable_variables[:-2])  # all but the last layer
    for variable, value in zip(network.trainable_variables, features, strict=False):
        variable.assign(value)
    return network


def test(contenders: dict, tests, data, config) -> list[dict]:
    """Print the accuracy of all learners on the same tasks; rows of ``metrics.json``.

    Every query is answered as if it were alone: batch norm has the support set's statistics.
    """
    scores = {
        name: {
            column: adaptation.evaluator(learner, tasks, config.test_episodes, "support")()
            for column, tasks in tests.items()
        }
        for name, learner in contenders.items()
    }
    print(images.table(scores, {}, data, config))
    return images.rows(scores, {}, data, config)
