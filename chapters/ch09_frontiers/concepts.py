"""Learning to learn in the concept space, DEML (Zhou, Wu and Li, 2018; section 9.7 of the book).

A few pictures of new classes say little about what is worth seeing in a picture. An external set
with labels of its own says more: a concept generator G is trained at once by a meta-learner M, who
has to tell new classes apart by their concepts G(x), and by a discriminator D, who has to name the
classes of the external set:

    J(theta_M, theta_D, theta_G) = L_T(theta_M, theta_G) + lambda L_(x,y)(theta_D, theta_G)

Any few-shot learner of vectors can be M. D has to pass a gradient on to G, so it is a linear layer
with a softmax: the book's SVM or decision tree would not (E9.10).
"""

import keras
import tensorflow as tf

from chapters.engine.evaluation import accuracy
from chapters.engine.functional import call_with_weights
from chapters.engine.layers import embed_tasks
from chapters.engine.metric import MetricLearner
from chapters.engine.update import apply_gradients


@keras.saving.register_keras_serializable(__package__)
class ConceptLearner(MetricLearner):
    """A few-shot learner that sees concepts instead of pictures.

    Call it as every few-shot learner; it returns what the meta-learner returns.

    Args:
        generator: Keras model, [item, ...] -> concepts [item, dim].
        learner: few-shot learner of items [dim].
        options: of ``keras.Model``.
    """

    ENCODER = "generator"

    def __init__(self, generator, learner, **options):
        super().__init__(**options)
        self.generator, self.learner = generator, learner
        self.built = True  # all weights are those of the two

    @property
    def way(self):
        """As many classes as the meta-learner tells apart."""
        return self.learner.way

    @property
    def outputs(self):
        """As many as the meta-learner has."""
        return self.learner.outputs

    def classify(self, support_z, support_y, query_z, training=False):
        """Logits of the queries [task, query, way]; adapting is the meta-learner's."""
        concepts = {"support_x": support_z, "support_y": support_y, "query_x": query_z}
        return self.learner(concepts, training=training)  # [task, query, way]

    def get_config(self):
        parts = {"generator": self.generator, "learner": self.learner}
        own = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        parts = ("generator", "learner")
        own = {name: keras.saving.deserialize_keras_object(config.pop(name)) for name in parts}
        return cls(**own, **config)


class Discriminator(keras.Model):
    """Names the classes of the external set by the concepts of their pictures.

    Args:
        generator: shared with the meta-learner.
        classes: of the external set.
    """

    def __init__(self, generator, classes: int, **options):
        super().__init__(**options)
        self.generator = generator
        self.head = keras.layers.Dense(classes, name="discriminator")
        self.head.build(generator.output_shape)
        self.built = True

    def call(self, x, training=False):
        """Logits of the external classes: [item, ...] -> [item, class]."""
        return self.head(self.generator(x, training=training))


class Trained(keras.Model):
    """What a training keeps: meta-learner, generator and discriminator."""

    def __init__(self, learner: ConceptLearner, discriminator: Discriminator, **options):
        super().__init__(**options)
        self.learner, self.discriminator = learner, discriminator
        self.built = True

    def call(self, inputs, training=False):
        """As the learner."""
        return self.learner(inputs, training=training)


def external_loss(discriminator, x, y):
    """L_(x,y)(theta_D, theta_G), and the accuracy: pictures [item, ...], labels [item].

    Batch norm has the statistics of these pictures and its averages stay as they are: a test asks
    for pictures of the few-shot tasks.
    """
    weights = discriminator.trainable_variables
    logits = call_with_weights(discriminator, weights, x, training=True)  # [item, class]
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)  # [item]
    return tf.reduce_mean(losses), tf.reduce_mean(accuracy(y[None], logits[None]))


def few_shot_loss(learner, inputs, query_y):
    """L_T(theta_M, theta_G), and the accuracy, means over tasks."""
    logits = learner(inputs, training=True)  # [task, query, way]
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(query_y, logits)  # [task, query]
    return tf.reduce_mean(losses), tf.reduce_mean(accuracy(query_y, logits))


def joint_step(model: Trained, optimizer, weight: float, begins: int = 0):
    """The training step: tasks and external pictures at once.

    Args:
        model: what is trained.
        optimizer: of ``model.trainable_variables``.
        weight: lambda; 0 is the meta-learner alone.
        begins: step at which the external pictures arrive; before it, lambda is 0.
    """

    def step(batch, seed):
        (inputs, query_y), (x, y) = batch
        # lambda is 0 as long as the external set is not there
        share = weight * tf.cast(seed[1] >= begins, tf.float32)
        with tf.GradientTape() as tape:
            loss, found = few_shot_loss(model.learner, inputs, query_y)
            external, named = external_loss(model.discriminator, x, y)
            # J = L_T(theta_M, theta_G) + lambda L_(x,y)(theta_D, theta_G)
            total = loss + share * external
        gradients = tape.gradient(total, model.trainable_variables)
        apply_gradients(optimizer, total, gradients, model.trainable_variables)
        return {
            "loss": loss,
            "accuracy": found,
            "concept_loss": external,
            "concept_accuracy": named,
        }

    return step


def alone_step(model: Trained, optimizer):
    """The training step of the meta-learner alone; the batch is an episode."""
    variables = model.learner.trainable_variables

    def step(batch, seed=None):
        inputs, query_y = batch
        with tf.GradientTape() as tape:
            loss, found = few_shot_loss(model.learner, inputs, query_y)
        gradients = tape.gradient(loss, variables)
        apply_gradients(optimizer, loss, gradients, variables)
        return {"loss": loss, "accuracy": found}

    return step


def pretraining_step(model: Trained, optimizer):
    """The training step of generator and discriminator alone; batch norm keeps its averages."""
    variables = model.discriminator.trainable_variables

    def step(batch, seed=None):
        x, y = batch
        with tf.GradientTape() as tape:
            logits = model.discriminator(x, training=True)  # [item, class]
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)  # [item]
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, variables)
        apply_gradients(optimizer, loss, gradients, variables)
        return {"loss": loss, "accuracy": tf.reduce_mean(accuracy(y[None], logits[None]))}

    return step


def head_step(model: Trained, optimizer):
    """The training step of a meta-learner on concepts that stay as they are."""
    learner = model.learner.learner
    variables = learner.trainable_variables

    def step(batch, seed=None):
        inputs, query_y = batch
        with tf.GradientTape() as tape:
            concepts = {
                **inputs,
                **{
                    name: embed_tasks(model.learner.generator, inputs[name], False)
                    for name in ("support_x", "query_x")
                },
            }
            loss, found = few_shot_loss(learner, concepts, query_y)
        gradients = tape.gradient(loss, variables)
        apply_gradients(optimizer, loss, gradients, variables)
        return {"loss": loss, "accuracy": found}

    return step
