"""What is printed while a network trains."""

import keras

COUNTERS = ("step", "seconds")  # in every row of the log, and no measures of learning


class Progress(keras.callbacks.ProgbarLogger):
    """Keras' bar, or its line per epoch, with measures alone and each by a name that says of what.

    Args:
        names: metric -> its name in the line, such as ``val_accuracy 20-way 1-shot``; the others
            keep theirs.
    """

    def __init__(self, names: dict[str, str]):
        super().__init__()
        self.names = names

    def on_train_batch_end(self, batch, logs=None):
        """Show the means of one graph call."""
        super().on_train_batch_end(batch, self._measures(logs))

    def on_epoch_end(self, epoch, logs=None):
        """Show the means of the epoch and the validation."""
        super().on_epoch_end(epoch, self._measures(logs))

    def _measures(self, logs):
        return {self.names.get(k, k): v for k, v in (logs or {}).items() if k not in COUNTERS}
