"""Any network as encoder: one of Keras' applications, or a function of one's own.

    --encoder keras:MobileNetV3Small      a network of keras.applications, without its classes
    --encoder my_networks:build           build(shape) -> Keras model, [item, ...] -> [item, dim]

Its weights are random, from a file, or the ones that Keras downloads when they are asked for by
name. A frozen one is not trained at all: what it learned elsewhere is compared as it is.
"""

import dataclasses
import importlib
import sys
from pathlib import Path

import keras
from keras import layers

from chapters.ch03_prototypical.encoder import get_embeddings
from chapters.engine.configuration import suggest
from chapters.engine.errors import ConfigError
from chapters.experiments.images import SETS
from datasets.errors import tell

KERAS = "keras"
RANDOM = "random"


def build_encoder(config, shape) -> keras.Model:
    """The encoder that the options name, its weights random: [item, ...] -> [item, dim].

    Args:
        config: with ``encoder``, empty for Conv-4, and ``frozen``.
        shape: of an item: height, width, channels.

    Raises:
        ConfigError: no such network, or none for such items.
    """
    if not config.encoder:
        return get_embeddings(shape, config.h_dim, config.z_dim, config.momentum)
    module, _, name = config.encoder.partition(":")
    network = _application(name, shape) if module == KERAS else _own(module, name, shape)
    network.trainable = not config.frozen
    return keras.Sequential(
        [layers.Input(shape), _Backbone(network, config.frozen)], name="encoder"
    )


def load_weights(encoder: keras.Sequential, config) -> None:
    """Give a backbone the weights that the options name; nothing for random ones.

    Raises:
        ConfigError: no such file, weights of another network, or a download that failed.
    """
    if config.frozen and config.encoder_weights == RANDOM:
        tell(f"{config.encoder} has random weights and is not trained: it knows nothing; see "
             "--encoder-weights.")  # fmt: skip
    if not config.encoder or config.encoder_weights == RANDOM:
        return
    network = encoder.layers[0].network
    network = network.layers[-1] if config.encoder.startswith(f"{KERAS}:") else network
    source = config.encoder_weights
    try:
        if Path(source).is_file():
            network.load_weights(source)
        else:
            _download(network, config.encoder, source)
    except ConfigError:
        raise
    except Exception as error:  # Keras has no class of its own for these
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ConfigError(f"--encoder-weights {source} cannot be used: {reason}.") from error


def _download(network, encoder: str, source: str) -> None:
    """The weights that Keras keeps of an application under a name, such as imagenet."""
    module, _, name = encoder.partition(":")
    if module != KERAS:
        raise ConfigError(f"--encoder-weights {source}: no such file.")
    shape = tuple(network.input_shape[1:])
    make = getattr(keras.applications, name)
    trained = make(include_top=False, weights=source, input_shape=shape, pooling="avg")
    network.set_weights(trained.get_weights())


@keras.saving.register_keras_serializable(__package__)
class _Backbone(layers.Layer):
    """A network; a frozen one is always as it is at test, its batch norm too.

    Args:
        network: Keras model.
        frozen: whether it is not trained.
    """

    def __init__(self, network, frozen: bool = False, **options):
        super().__init__(**options)
        self.network, self.frozen = network, frozen

    def call(self, x, training=False):
        """[item, ...] -> [item, dim]."""
        return self.network(x, training=training and not self.frozen)

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network, "frozen": self.frozen}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("network")), **config)


@keras.saving.register_keras_serializable(__package__)
class _AsItWants(layers.Layer):
    """Pictures of 0 to 1 as an application wants them.

    Args:
        application: its name in ``keras.applications``.
    """

    def __init__(self, application: str, **options):
        super().__init__(**options)
        self.application = application

    def call(self, x):
        """[item, height, width, 3] -> the same shape."""
        make = getattr(keras.applications, self.application)
        return sys.modules[make.__module__].preprocess_input(255.0 * x)

    def get_config(self):
        return {**super().get_config(), "application": self.application}


def _application(name: str, shape) -> keras.Model:
    known = [
        one for one in dir(keras.applications)
        if one[0].isupper() and callable(getattr(keras.applications, one))
    ]  # fmt: skip
    if name not in known:
        raise ConfigError(
            f"--encoder {KERAS}:{name} is none of keras.applications{suggest(name, known)}; these "
            f"are {', '.join(known)}."
        )
    if shape[-1] != 3:
        raise ConfigError(f"--encoder {KERAS}:{name} takes pictures in colour; add --channels 3.")
    make = getattr(keras.applications, name)
    try:
        network = make(include_top=False, weights=None, input_shape=tuple(shape), pooling="avg")
    except ValueError as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ConfigError(
            f"--encoder {KERAS}:{name} takes no pictures of {shape[0]} x {shape[1]} ({reason}); "
            "give a larger --image-size."
        ) from error
    return keras.Sequential([layers.Input(shape), _AsItWants(name), network])


def _own(module: str, name: str, shape) -> keras.Model:
    """What a function of the user's own builds."""
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise ConfigError(
            f"--encoder {module}:{name}: {error}; give keras:NAME, or MODULE:FUNCTION of a module "
            "that Python finds."
        ) from error
    network = make(tuple(shape))
    outputs = getattr(network, "output_shape", None)
    if not isinstance(network, keras.Model) or outputs is None or len(outputs) != 2:
        raise ConfigError(
            f"--encoder {module}:{name} gives {type(network).__name__} with outputs {outputs}; a "
            "built Keras model is wanted, [item, ...] -> [item, dim]."
        )
    return network


def fitted(config):
    """Options as a backbone wants them: in colour, and not as small as characters.

    Raises:
        ConfigError: what is said of a backbone and none is named.
    """
    alone = {"--encoder-weights": config.encoder_weights != RANDOM, "--frozen": config.frozen}
    for flag in (flag for flag, given in alone.items() if given and not config.encoder):
        raise ConfigError(f"{flag} is for --encoder; give both, or leave {flag} out.")
    if not config.encoder.startswith(f"{KERAS}:"):
        return config
    size = config.image_size if config.image_size != 28 else 96
    channels = 3 if config.data not in SETS else config.channels
    found = dataclasses.replace(config, image_size=size, channels=channels)
    if found != config:
        tell(f"{config.encoder} wants --image-size {size} --channels {channels}.")
    return found
