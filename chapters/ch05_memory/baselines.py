"""What the same task looks like without a memory."""

import keras


@keras.saving.register_keras_serializable(__package__)
class LSTMCells(keras.layers.Layer):
    """Layers of LSTM and a linear output, the book's ``model = LSTM``.

    The book leaves the output layer out: its logits are the LSTM's outputs, between -1 and 1, and
    its loss can never fall below -ln sigmoid(1) = 0.313 (E5.13).

    Args:
        rnn_size: units of each layer.
        layers: number of layers.
        output_dim: values that come out.
    """

    def __init__(self, rnn_size, layers, output_dim, **kwargs):
        super().__init__(**kwargs)
        self.rnn_size, self.layer_count, self.output_dim = rnn_size, layers, output_dim
        cells = [keras.layers.LSTMCell(rnn_size) for _ in range(layers)]
        self.cells = keras.layers.StackedRNNCells(cells)
        self.output_layer = keras.layers.Dense(output_dim, name="output")

    def build(self, input_shape):
        self.cells.build(input_shape)
        self.output_layer.build((None, self.rnn_size))
        self.built = True

    @property
    def state_size(self):
        """Units of output and cell of every layer."""
        return self.cells.state_size

    @property
    def output_size(self):
        """Values that come out of a step."""
        return self.output_dim

    def get_initial_state(self, batch_size=None):
        """Zeros."""
        return self.cells.get_initial_state(batch_size=batch_size)

    def call(self, inputs, states, training=False):
        """[batch, feature] and a state -> output [batch, output_dim] and the next state."""
        hidden, states = self.cells(inputs, states)
        return self.output_layer(hidden), states

    def get_config(self):
        own = {
            "rnn_size": self.rnn_size, "layers": self.layer_count, "output_dim": self.output_dim
        }  # fmt: skip
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(__package__)
class Forgetful(keras.layers.Layer):
    """A feed-forward network with one hidden layer that sees one step at a time.

    Args:
        units: of the hidden layer.
        output_dim: values that come out.
    """

    state_size = ()

    def __init__(self, units, output_dim, **kwargs):
        super().__init__(**kwargs)
        self.units, self.output_dim = units, output_dim
        self.hidden = keras.layers.Dense(units, activation="relu", name="hidden")
        self.output_layer = keras.layers.Dense(output_dim, name="output")

    def build(self, input_shape):
        self.hidden.build(input_shape)
        self.output_layer.build((None, self.units))
        self.built = True

    @property
    def output_size(self):
        """Values that come out of a step."""
        return self.output_dim

    def get_initial_state(self, batch_size=None):
        """Nothing is kept."""
        return ()

    def call(self, inputs, states, training=False):
        """[batch, feature] -> output [batch, output_dim]; the state stays empty."""
        return self.output_layer(self.hidden(inputs)), states

    def get_config(self):
        return {**super().get_config(), "units": self.units, "output_dim": self.output_dim}
