"""Faces, section 2.4 of the book: pictures, splits by person, augmentation, encoders.

Axes: height, width, channel; channels come last everywhere. The book's network mixes both orders in
one layer, which pools over channels instead of pixels (erratum E2.6).
"""

import dataclasses
import math
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.decomposition import PCA

import datasets
from chapters.ch02_siamese.models import NearestNeighbour, SiameseNetwork
from chapters.ch02_siamese.presets import FACE_SETS, FacesConfig
from chapters.experiments import folders
from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.readers.folder import load_folder
from datasets.readers.folder import read_image as read_any_image
from datasets.readers.pgm import read_pgm
from datasets.tasks.episodes import to_float
from datasets.tasks.pairs import Pairs, PairSampler, items_of_split

HEIGHT, WIDTH = 112, 92  # of the ORL faces
SIZE = 2  # the book uses every second row and column

# Largest changes of a training picture. Larger ones make people unlike themselves: the faces are
# centred, and where things are in the picture tells who it is.
SHIFT, TURN, ZOOM, LIGHT = 4.0, 0.07, 0.05, 0.2
COPIES = 8  # altered copies of every training picture that the whitening is measured on


# --- data -----------------------------------------------------------------------------------------


def read_image(path: str | Path) -> np.ndarray:
    """A grey picture [112, 92] uint8: PGM as it is, others turned to grey and stretched.

    Raises:
        DataError: the file is missing or broken.
    """
    if Path(path).suffix.lower() == ".pgm":
        image = read_pgm(path)
        if image.shape == (HEIGHT, WIDTH) and image.dtype == np.uint8:
            return image
    return read_any_image(path, size=(HEIGHT, WIDTH))


def read(paths: Iterable[str | Path], config: FacesConfig) -> np.ndarray:
    """Picture files as a network sees them: float32 [picture, height, width, 1], 0 to 1.

    Raises:
        DataError: a file is missing or broken.
    """
    images = np.reshape([read_image(path) for path in paths], [-1, HEIGHT, WIDTH])
    return to_float(fit_size(images, config))[..., None].numpy()


def subsample(images: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Every ``size``-th row and column: [..., 112, 92] -> [..., 56, 46] for size 2 (E2.9)."""
    return images[..., ::size, ::size]


def load(config: FacesConfig) -> Dataset:
    """The faces, one class per person: items uint8 [picture, 112, 92].

    The book's network gets every second row and column, [picture, 56, 46].

    Raises:
        ConfigError: ``--data`` is neither a known set nor a folder.
        DataError: data missing or broken.
    """
    folders.check(config.data, FACE_SETS)
    if config.data in FACE_SETS:
        faces = datasets.load(config.data, root=config.data_root or None, offline=config.offline)
    else:
        faces = load_folder(config.data, size=(HEIGHT, WIDTH), seed=config.seed)
    return dataclasses.replace(faces, items=fit_size(faces.items, config))


def fit_size(images: np.ndarray, config: FacesConfig) -> np.ndarray:
    """Pictures [picture, 112, 92] in the size that the encoder takes."""
    return np.ascontiguousarray(subsample(images)) if config.encoder == "book" else images


def split_people(faces: Dataset, number: int, config: FacesConfig) -> Dataset:
    """The same faces with the splits ``train``, ``val`` and ``test`` of split ``number``.

    People are shuffled once with the seed and dealt into ``config.splits`` test groups, so over all
    splits everybody is tested once. The next ``config.val_people`` in the circle choose threshold
    and weights. Nobody is in two splits of one number (erratum E2.4).

    Raises:
        DataError: too few people.
    """
    people = len(faces.class_names)
    test = people // config.splits
    if test < 2 or people - test - config.val_people < 2:
        raise DataError(
            f"{faces.name} has {people} people; {config.splits} splits with {config.val_people} "
            "people for validation need at least 2 people to test and 2 to train in each."
        )
    # The stream of RandomState is frozen: a seed means the same people in every version of NumPy.
    order = np.random.RandomState(config.seed).permutation(people)
    groups = np.array_split(order, config.splits)
    rest = np.concatenate(groups[number + 1 :] + groups[:number])
    splits = {
        "train": rest[config.val_people :],
        "val": rest[: config.val_people],
        "test": groups[number],
    }
    return dataclasses.replace(
        faces, splits={name: np.sort(classes) for name, classes in splits.items()}
    )


def get_data(faces: Dataset, split: str, total_sample_size: int, seed: int = 0) -> Pairs:
    """A fixed list of pairs of one split: ``total_sample_size`` of each kind.

    Unlike in the book, people are split before they are paired (erratum E2.4), and imposite pairs
    do not share the number of the picture (E2.11). The list holds positions in ``faces.items``; the
    book's X [pair, 2, height, width, channel] would be 400 MB of copies of 400 pictures.
    """
    sampler = PairSampler(faces, split, 2 * total_sample_size, seed)
    first, second, label = (x.numpy() for x in sampler.positions(0))
    return Pairs(first, second, label[:, 0] == 1)


def augment(x, seed, shift=SHIFT, turn=TURN, zoom=ZOOM, light=LIGHT):
    """Shift, turn, zoom, mirror and relight every picture on its own.

    Args:
        x: [picture, height, width, 1], 0 to 1.
        seed: int32 [2]; the same seed alters in the same way.
        shift: largest shift in pixels.
        turn: largest turn in radians.
        zoom: largest change of size, as a natural logarithm.
        light: largest change of contrast (natural logarithm) and of brightness.

    Returns:
        [picture, height, width, 1]
    """
    _, height, width, _ = x.shape
    u = tf.random.stateless_uniform([7, tf.shape(x)[0]], seed, -1.0, 1.0, alg="philox")
    angle, scale, mirror = turn * u[0], tf.exp(zoom * u[1]), tf.sign(u[2])
    # Output pixel (x, y) shows input pixel R (x - centre) + centre + shift.
    r00, r01 = scale * mirror * tf.cos(angle), -scale * tf.sin(angle)
    r10, r11 = scale * mirror * tf.sin(angle), scale * tf.cos(angle)
    x0, y0 = (width - 1) / 2, (height - 1) / 2
    dx = x0 - r00 * x0 - r01 * y0 + shift * u[3]
    dy = y0 - r10 * x0 - r11 * y0 + shift * u[4]
    zero = tf.zeros_like(dx)
    transform = tf.stack([r00, r01, dx, r10, r11, dy, zero, zero], axis=1)  # [picture, 8]
    x = keras.ops.image.affine_transform(x, transform, fill_mode="nearest")
    contrast, brightness = tf.exp(light * u[5]), light * u[6]
    return x * contrast[:, None, None, None] + brightness[:, None, None, None]


# --- encoders -------------------------------------------------------------------------------------


def build_base_network(input_shape=(HEIGHT // SIZE, WIDTH // SIZE, 1)) -> keras.Sequential:
    """The book's encoder, 191,618 parameters: [56, 46, 1] -> [50].

    56 x 46 -> 54 x 44 -> 27 x 22 -> 25 x 20 -> 12 x 10 pixels of 12 channels: 1,440 features.
    """
    return keras.Sequential(
        [
            layers.Input(input_shape),
            layers.Conv2D(6, 3, activation="relu"),  # [54, 44, 6]
            layers.MaxPooling2D(2),  # [27, 22, 6]
            layers.Dropout(0.25),
            layers.Conv2D(12, 3, activation="relu"),  # [25, 20, 12]
            layers.MaxPooling2D(2),  # [12, 10, 12]
            layers.Dropout(0.25),
            layers.Flatten(),  # [1440]
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(50, activation="relu"),
        ],
        name="book_encoder",
    )


@keras.saving.register_keras_serializable(__package__)
class OrientedGradients(layers.Layer):
    """Histograms of edge directions in overlapping cells, not learned (Dalal and Triggs, 2005).

    Twenty-six people are too few to learn from what an edge is. A cell tells how much its edges
    point each way, whatever the light, and wherever within the cell they are. A picture and its
    mirror image give the same.

    Args:
        bins: directions between 0 and 180 degrees.
        cell: height and width of a cell in pixels; cells are half of that apart.
    """

    def __init__(self, bins: int = 9, cell: int = 16, **kwargs):
        super().__init__(**kwargs)
        self.bins, self.cell = bins, cell

    def call(self, x):
        """Grey pictures [picture, height, width, 1] -> [picture, row, column, bins]."""
        along_x = tf.pad(x[:, :, 2:] - x[:, :, :-2], [[0, 0], [0, 0], [1, 1], [0, 0]])
        along_y = tf.pad(x[:, 2:] - x[:, :-2], [[0, 0], [1, 1], [0, 0], [0, 0]])
        strength = tf.sqrt(along_x**2 + along_y**2 + 1e-12)
        direction = tf.math.floormod(tf.atan2(along_y, along_x), math.pi) / math.pi * self.bins
        # Each edge is shared between the two nearest bins, around the circle.
        away = tf.abs(direction - tf.range(self.bins, dtype=x.dtype))  # [.., height, width, bins]
        share = tf.nn.relu(1 - tf.minimum(away, self.bins - away))
        cells = tf.nn.avg_pool2d(strength * share, self.cell, self.cell // 2, "SAME")
        length = tf.norm(cells, axis=-1, keepdims=True)  # contrast of a cell
        cells = tf.sqrt(cells / (length + 0.02) + 1e-6)
        # A face turned left and the same turned right: mean of the picture and its mirror image,
        # in which columns run the other way and direction d becomes 180 degrees - d.
        mirror = tf.roll(tf.reverse(cells, axis=[2, 3]), 1, axis=3)
        return (cells + mirror) / 2

    def get_config(self):
        return {**super().get_config(), "bins": self.bins, "cell": self.cell}


@keras.saving.register_keras_serializable(__package__)
class WithinPersonWhitening(layers.Layer):
    """Linear map after which pictures of one person differ equally little in all directions.

        z = A^T (x - mean),   A = P L,   L L^T = C^-1

    P are the first principal components of the training pictures, C is the covariance of what
    distinguishes pictures of the same person there: pose, light, expression. Euclidean distance
    behind the map is the Mahalanobis distance of C. Fitted once, not trained.

    Args:
        units: principal components kept.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        """Create mean [dim] and map [dim, units], not trained."""
        dim = input_shape[-1]
        self.mean = self.add_weight(name="mean", shape=(dim,), trainable=False, initializer="zeros")
        self.map = self.add_weight(name="map", shape=(dim, self.units), trainable=False)

    def fit(self, x: np.ndarray, person: np.ndarray, ridge: float = 0.2) -> None:
        """Measure training pictures.

        Args:
            x: features [picture, dim].
            person: [picture], who is shown.
            ridge: share of the mean variance added to every direction, as C is measured on few.
        """
        kept = min(self.units, len(x) - 1, x.shape[1])
        pca = PCA(kept, svd_solver="randomized", random_state=0).fit(x)
        components = pca.components_.T  # P [dim, component]
        z = (x - pca.mean_) @ components
        within = np.concatenate([z[person == p] - z[person == p].mean(0) for p in set(person)])
        covariance = within.T @ within / len(within)  # C [component, component]
        covariance += ridge * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        whitening = components @ np.linalg.cholesky(np.linalg.inv(covariance))
        missing = self.units - whitening.shape[1]  # of very few or very small pictures
        self.mean.assign(pca.mean_)
        self.map.assign(np.pad(whitening, ((0, 0), (0, missing))))

    def call(self, x):
        """[picture, dim] -> [picture, units]"""
        return (x - self.mean) @ self.map

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def build_encoder(input_shape, config: FacesConfig) -> keras.Sequential:
    """The encoder that the options name."""
    if config.encoder == "book":
        return build_base_network(input_shape)
    return keras.Sequential(
        [
            layers.Input(input_shape),
            OrientedGradients(),  # [14, 12, 9]
            layers.Flatten(),  # [1512]
            WithinPersonWhitening(config.dim, name="whitening"),
            layers.Dropout(config.dropout),
            # Trained, from the identity on: more freedom than this is spent on telling the people
            # of the training set apart, and those never seen suffer.
            layers.Dense(config.dim, kernel_initializer="identity"),
            layers.UnitNormalization(),  # distances between 0 and 2
        ],
        name="encoder",
    )


def build_learner(config: FacesConfig) -> NearestNeighbour:
    """One-shot learner of the options, not trained."""
    shape = fit_size(np.zeros([1, HEIGHT, WIDTH]), config).shape[1:]
    siamese = SiameseNetwork(build_encoder((*shape, 1), config), config.energy)
    return NearestNeighbour(siamese)


def features(encoder: keras.Sequential, x) -> np.ndarray:
    """What our encoder computes before the whitening, of length one: [picture, dim]."""
    return tf.math.l2_normalize(_before_whitening(encoder)(x), axis=-1).numpy()


def _before_whitening(encoder: keras.Sequential) -> keras.Model:
    return keras.Model(encoder.inputs, encoder.get_layer("whitening").input)


def fit_whitening(encoder: keras.Sequential, people: Dataset, seed: int) -> None:
    """Fit the whitening of our encoder on the training people and altered copies of them."""
    positions = items_of_split(people, "train")
    x = pictures(people, positions)
    seeds = tf.random.split(tf.constant([seed, 4]), COPIES)
    copies = [x] + [augment(x, one) for one in tf.unstack(seeds)]
    before = _before_whitening(encoder)
    measured = np.concatenate([before(copy) for copy in copies])  # [picture, dim]
    encoder.get_layer("whitening").fit(measured, np.tile(people.item_class[positions], len(copies)))


def pictures(people: Dataset, positions=None):
    """Pictures as a network sees them: [picture, height, width, 1], 0 to 1; all by default."""
    stored = people.items.reshape(-1, *people.image_shape)
    return to_float(tf.constant(stored if positions is None else stored[positions]))
