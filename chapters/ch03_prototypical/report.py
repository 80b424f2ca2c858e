"""The book's log."""

import keras

from datasets.tasks.episodes import EpisodeSampler


class BookLog(keras.callbacks.Callback):
    """Loss and accuracy every 20 episodes, as the book prints them (section 3.3).

    Args:
        validation: sampler of the validation episodes, whose way and shot are named.
    """

    def __init__(self, validation: EpisodeSampler):
        super().__init__()
        self.task = f"{validation.way}-way {validation.shot}-shot"

    def on_epoch_begin(self, epoch, logs=None):
        """Remember the epoch."""
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Print the mean over the episodes of one graph call."""
        print(
            f"Epoch: {self.epoch + 1}, Episode: {batch + 1}, "
            f"Loss: {logs['loss']:.4f}, Accuracy: {logs['accuracy']:.4f}",
            flush=True,
        )

    def on_epoch_end(self, epoch, logs=None):
        """Print the accuracy on unseen classes, which the book never measures (E3.11)."""
        print(
            f"Epoch: {epoch + 1}, accuracy on characters not trained on, {self.task}: "
            f"{logs['val_accuracy']:.4f}",
            flush=True,
        )
