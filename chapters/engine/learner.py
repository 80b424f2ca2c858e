"""What all few-shot learners share: the form of a task, and the outline of adapting by gradients.

    learner({"support_x", "support_y", "query_x"}) -> predictions of the queries

Adapting to the support set is the forward pass. What people give is checked here, in one place, and
converted where its meaning is plain; inside a graph only shapes can be looked at. A learner may
have other inputs, such as unlabelled items, or classes known by attributes and no support set.
"""

import keras
import tensorflow as tf

from chapters.engine import export, tasks
from chapters.engine.errors import RunError
from chapters.engine.evaluation import accuracy
from chapters.engine.per_task import call_per_task, repeat_for_tasks

ABSENT = 1e9  # taken off the logit of a class that cannot be
FAR = tf.float32.max  # distance of such a class; LiteRT has no infinite constants


class FewShotLearner(keras.Model):
    """A Keras model of tasks. Subclasses say what goes in and what comes out, and have ``call``.

    Attributes:
        item_shape: shape of one item, None for any.
        way: number of classes where the network has an output for each, None for any number.
        output: what a prediction is: "logits" of classes; "values", the targets themselves; or a
            word of the subclass's own, which then has ``answer`` and ``task_metrics``.
        outputs: values of a prediction.
        temperature: what logits are divided by before they become probabilities.
        OPTIONAL: inputs that a task may lack.
    """

    item_shape: tuple[int, ...] | None = None
    way: int | None = None
    output: str = "logits"
    outputs: int | None = None
    temperature: float = 1.0
    OPTIONAL: tuple[str, ...] = ()

    @property
    def precision(self) -> str:
        """Type of the numbers it computes with."""
        return self.compute_dtype

    @property
    def labelled(self) -> bool:
        """Whether ``support_y`` are labels of classes; they are targets otherwise."""
        return self.output != "values"

    def input_shapes(self) -> dict[str, tuple[int, ...] | None]:
        """Name of each input [task, item, ...] -> shape of an item.

        ``support_y`` belongs to ``support_x``; a learner without a support set has neither.
        """
        return {"support_x": self.item_shape, "query_x": self.item_shape}

    def __call__(self, inputs, *arguments, **options):
        """Predictions [task, query, way] or [task, query, out].

        Args:
            inputs: ``support_x`` [task, support, ...], ``support_y`` [task, support] (labels) or
                [task, support, out] (targets), ``query_x`` [task, query, ...]; or what
                ``input_shapes`` names.
            arguments, options: of ``keras.Model``, such as ``training``.

        Raises:
            RunError: they do not fit the learner, or each other.
        """
        return super().__call__(tasks.checked_task(self, inputs), *arguments, **options)

    def predict_with_distance(self, inputs):
        """Predictions of the queries, and distances for ``answer``; None where logits have them."""
        return self(inputs, training=False), None

    def distances(self, prediction):
        """How far queries are from each class, from its logits: [..., way].

        The unit is the learner's own. A query that is far from every class may be of none.
        """
        return -prediction

    def answer(self, prediction, support_y, distance=None):
        """One task's predictions as an exported model gives them: name -> [query, ...].

        Args:
            prediction: [query, way] or [query, out].
            support_y: labels [support] or targets [support, out]; None without a support set.
            distance: [query, way], of ``predict_with_distance``.

        Returns:
            ``query_y``; or ``probabilities``, and ``distance``, which is the largest number there
            is for a class that the support set does not show.
        """
        if not self.labelled:
            return {"query_y": prediction}
        if self.output != "logits":
            raise NotImplementedError(
                f"{type(self).__name__} predicts {self.output}; it needs an answer of its own"
            )
        if prediction.shape[-1] == 1 and self.way:  # the logit of the second of two classes
            prediction = tf.concat([tf.zeros_like(prediction), prediction], axis=-1)
        distance = self.distances(prediction) if distance is None else distance
        logits = prediction / self.temperature
        if support_y is not None:
            member = tf.one_hot(support_y, tf.shape(prediction)[-1])  # [support, way]
            present = tf.reduce_max(member, axis=0)  # [way]
            logits -= ABSENT * (1 - present)
            distance = tf.where(present > 0, distance, FAR)
        return {"probabilities": tf.nn.softmax(logits, axis=-1), "distance": distance}

    def task_metrics(self, query_y, prediction) -> dict[str, tf.Tensor]:
        """What people read beside the loss, per task: accuracy of classes, nothing of values.

        Args:
            query_y: labels [task, query] or targets [task, query, out].
            prediction: [task, query, way] or [task, query, out].
        """
        return {"accuracy": accuracy(query_y, prediction)} if self.labelled else {}

    def serving(self, strict: bool = False, full: bool = False):
        """A function of one task for an exported file: ``export.adapt_and_predict``."""
        return export.adapt_and_predict(self, strict, full)

    def export(self, filepath, **options):
        """Write a SavedModel with the signature ``serve``, one task without a task axis.

        A learner with ``OPTIONAL`` inputs also has ``serve_full``, which takes all of them.

        Keras' own export asks for the call with a task axis and fixed inputs; this one adapts and
        predicts with any number of items, as ``chapters.engine.export.adapt_and_predict`` says.

        Args:
            filepath: folder to write.
            options: ``format`` may be ``tf_saved_model``, and ``verbose`` is taken and ignored.

        Raises:
            RunError: another format, or an item that may have any shape.
        """
        if options.get("format", "tf_saved_model") != "tf_saved_model":
            raise RunError(
                f"A learner is exported as a SavedModel, not as {options['format']}; zoo.export "
                "writes ONNX and LiteRT."
            )
        signature = self.signature()
        free = next((spec.name for spec in signature if spec.shape.rank is None), "")
        if free:
            raise RunError(
                f"The shape of an item of {free} is not known yet; call the learner once, or begin "
                "the encoder with keras.layers.Input."
            )
        endpoints = {"serve": (self.serving(strict=True), signature)}
        if self.OPTIONAL:
            full = self.serving(strict=True, full=True)
            endpoints["serve_full"] = (full, self.signature(full=True))
        export.write(filepath, endpoints)

    def signature(self, full: bool = False) -> list[tf.TensorSpec]:
        """The inputs that a task must have, without the task axis and with any number of items.

        Args:
            full: those that a task may lack as well.
        """
        specs = []
        for name, shape in self.input_shapes().items():
            if name in self.OPTIONAL and not full:
                continue
            items = None if shape is None else [None, *shape]
            specs.append(tf.TensorSpec(items, tf.float32, name))
            if name == "support_x" and self.labelled:
                specs.append(tf.TensorSpec([None], tf.int32, "support_y"))
            elif name == "support_x":
                specs.append(tf.TensorSpec([None, self.outputs], tf.float32, "support_y"))
        return specs


class GradientLearner(FewShotLearner):
    """A network that is adapted to each task by gradient steps before it predicts.

    A subclass has ``inner_step``; ``adapted_variables`` where some of the weights stay; and
    ``start`` where other things than weights are adapted.

    Args:
        network: built Keras model, [item, ...] -> [item, out].
        objective: (y, prediction) -> loss [task]; that of a regression has ``output`` "values".
        inner_steps: inner steps in training.
        test_steps: inner steps otherwise; as in training when None.
        batch_norm: statistics for the queries in training: ``transductive``, those of the queries,
            or ``support``, those of the support set.
        options: of ``keras.Model``.
    """

    # Arguments of ``__init__`` that are attributes of the same name, for ``get_config``.
    CONFIG: tuple[str, ...] = ("inner_steps", "test_steps", "batch_norm")
    NOT_BY_FIT = ""  # why ``fit`` cannot train it, where it cannot

    def __init__(
        self,
        network,
        objective,
        inner_steps=1,
        test_steps=None,
        batch_norm="transductive",
        **options,
    ):
        super().__init__(**options)
        if getattr(network, "input_shape", None) is None:
            raise RunError(
                "The network has no shapes yet; begin it with keras.layers.Input, so that each "
                "task can have weights of its own."
            )
        self.network, self.objective, self.batch_norm = network, objective, batch_norm
        self.inner_steps = inner_steps
        self.test_steps = inner_steps if test_steps is None else test_steps
        self.built = True  # all weights are the network's

    @property
    def item_shape(self):
        """Shape of one item."""
        return tuple(self.network.input_shape[1:])

    @property
    def precision(self):
        """That of the network."""
        return self.network.compute_dtype

    @property
    def output(self):
        """As the objective takes it."""
        return getattr(self.objective, "output", "logits")

    @property
    def outputs(self):
        """Outputs of the network."""
        return self.network.output_shape[-1]

    @property
    def way(self):
        """Classes that the network can tell apart; one output is the logit of the second of two."""
        return max(self.outputs, 2) if self.labelled else None

    def adapted_variables(self):
        """The weights that inner steps change: all of the network."""
        return self.network.trainable_variables

    def start(self, support_x):
        """What is adapted, before the first inner step, once per task: list of [task, ...]."""
        weights = repeat_for_tasks(self.adapted_variables(), tf.shape(support_x)[0])
        return [tf.ensure_shape(w, [support_x.shape[0], *w.shape[1:]]) for w in weights]

    def inner_loop(self, weights, support_x, support_y, steps):
        """``steps`` inner steps on the support set of each task."""
        for _ in range(steps):
            weights = self.inner_step(weights, support_x, support_y)
        return weights

    def adapt(self, support_x, support_y, steps=None):
        """Weights of each task after ``steps`` inner steps (``test_steps`` when None).

        Returns:
            list of [task, ...], in the order of ``adapted_variables``.

        Raises:
            RunError: the support set does not fit the network.
        """
        support_x, support_y = tasks.checked_support(self, support_x, support_y)
        steps = self.test_steps if steps is None else steps
        return self.inner_loop(self.start(support_x), support_x, support_y, steps)

    def predict_with(self, weights, query_x, support_x=None):
        """Predictions of adapted networks: [task, query, out].

        Batch norm uses the statistics of ``support_x`` when it is given: no query knows of another
        (honest). Otherwise it uses those of the queries (transductive).
        """
        return call_per_task(self.network, weights, query_x, normalise_by=support_x)

    def predict_queries(self, weights, inputs, training):
        """``predict_with`` in the batch-norm regime of training, or honest."""
        transductive = training and self.batch_norm == "transductive"
        support_x = None if transductive else inputs["support_x"]
        return self.predict_with(weights, inputs["query_x"], support_x)

    def call(self, inputs, training=False):
        """Adapt to the support set, predict the queries; honest unless in training."""
        steps = self.inner_steps if training else None
        weights = self.adapt(inputs["support_x"], inputs["support_y"], steps)
        return self.predict_queries(weights, inputs, training)

    def fit(self, *arguments, **options):
        """Keras' training loop, where the outer step is the gradient of a loss.

        Raises:
            RunError: it is not; the sentence names the loop that trains this learner.
        """
        if self.NOT_BY_FIT:
            raise RunError(
                f"{type(self).__name__} {self.NOT_BY_FIT}, so fit cannot train it; give the "
                "train_step of its file to chapters.engine.loop.Loop, as the chapter's train_sine "
                "or train_omniglot does."
            )
        return super().fit(*arguments, **options)

    def describe_rate(self) -> str:
        """The inner rate in words, for error messages."""
        return f"rate {self.inner_rate:g}"

    def get_config(self):
        parts = {"network": self.network, "objective": self.objective}
        own = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {
            **super().get_config(),
            **own,
            **{name: getattr(self, name) for name in self.CONFIG},
        }

    @classmethod
    def from_config(cls, config):
        parts = ("network", "objective")
        own = {name: keras.saving.deserialize_keras_object(config.pop(name)) for name in parts}
        return cls(**own, **config)
