"""A learned rule as a Keras optimizer: ``model.compile(optimizer=LearnedOptimizer(rule))``."""

import keras
import tensorflow as tf

from chapters.engine.errors import RunError


@keras.saving.register_keras_serializable(__package__)
class LearnedOptimizer(keras.optimizers.Optimizer):
    """Updates the weights of a model by a rule that was learned.

    Every number of every weight has a memory of its own, so the optimizer holds ``rule.memory``
    numbers for each. The memory is saved and restored with the optimizer; the rule's weights are
    part of it and stay as they are.

    Args:
        rule: LearnedRule, such as ``zoo.load("rnnprop-digits").learner``.
        learning_rate: factor of the updates; 1 is what was learned.
        name: of the optimizer.
        options: of ``keras.optimizers.Optimizer``.
    """

    def __init__(self, rule, learning_rate=1.0, name="learned_optimizer", **options):
        super().__init__(learning_rate=learning_rate, name=name, **options)
        self.rule = rule
        self._memories = []

    def build(self, variables):
        """Make the memory of each variable, empty.

        Raises:
            RunError: there are no variables.
        """
        if self.built:
            return
        if not variables:
            raise RunError("The model has no trainable weights, so there is nothing to optimize.")
        super().build(variables)
        self._memories = [
            self.add_variable(
                shape=(variable.shape.num_elements(), self.rule.memory), name=f"memory_{number}"
            )
            for number, variable in enumerate(variables)
        ]

    def update_step(self, gradient, variable, learning_rate):
        """theta <- theta + u, and what is remembered of the gradient."""
        memory = self._memories[self._get_variable_index(variable)]
        gradient = tf.convert_to_tensor(gradient)  # that of an embedding has rows only
        update, after = self.rule.step(gradient, tf.reshape(memory, [*variable.shape, -1]))
        self.assign(memory, tf.reshape(after, memory.shape))
        self.assign_add(variable, tf.cast(learning_rate, update.dtype) * update)

    def get_config(self):
        rule = keras.saving.serialize_keras_object(self.rule)
        return {**super().get_config(), "rule": rule}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        rule = keras.saving.deserialize_keras_object(config.pop("rule"), custom_objects)
        return cls(rule, **config)
