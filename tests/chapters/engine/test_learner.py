"""Every few-shot learner is a Keras model: saved, loaded, exported, trained by ``fit``."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch02_siamese.losses import contrastive_loss
from chapters.ch02_siamese.models import NearestNeighbour, SiameseNetwork
from chapters.ch03_prototypical.encoder import get_embeddings
from chapters.ch03_prototypical.models import PrototypicalNetwork
from chapters.ch05_memory.mann import MANNCell
from chapters.ch05_memory.models import SequenceModel, SequentialLearner
from chapters.ch06_maml.adml import ADML
from chapters.ch06_maml.anil import ANIL
from chapters.ch06_maml.caml import CAML, image_network
from chapters.ch06_maml.losses import cross_entropy
from chapters.ch06_maml.maml import MAML
from chapters.ch07_meta_sgd_reptile.meta_sgd import MetaSGD
from chapters.ch07_meta_sgd_reptile.reptile import Reptile
from chapters.ch08_gradient_agreement.gradient_agreement import GradientAgreement
from chapters.engine import layers
from chapters.engine.errors import RunError
from chapters.engine.export import adapt_and_predict, write
from chapters.experiments.images.baselines import PixelNeighbour
from chapters.experiments.sine.fine_tuning import FineTuning

SHAPE, WAY = (16, 16, 1), 3


def network():
    layers = [keras.layers.Flatten(), keras.layers.Dense(5, "tanh"), keras.layers.Dense(WAY)]
    return keras.Sequential([keras.layers.Input(SHAPE), *layers])


def mann():
    cell = MANNCell(rnn_size=8, memory_size=6, memory_vector_dim=4, head_num=1, output_dim=WAY)
    return SequentialLearner(SequenceModel(cell, 16 * 16 + WAY), WAY, SHAPE)


LEARNERS = {
    "siamese": lambda: NearestNeighbour(SiameseNetwork(get_embeddings(SHAPE, 2, 2)), 2.0),
    "prototypical": lambda: PrototypicalNetwork(get_embeddings(SHAPE, 2, 2), "cosine"),
    "pixels": lambda: PixelNeighbour(SHAPE),
    "mann": mann,
    "maml": lambda: MAML(network(), cross_entropy, 0.1, 2, first_order=True),
    "anil": lambda: ANIL(network(), cross_entropy, 0.1, zero_head=True, inner_steps=2),
    "adml": lambda: ADML(network(), cross_entropy, 0.1, adversarial_rate=0.2, epsilon=0.05),
    "caml": lambda: CAML(image_network(SHAPE, WAY, 4, 2), cross_entropy, 0.5),
    "meta-sgd": lambda: MetaSGD(network(), cross_entropy, 0.05),
    "reptile": lambda: Reptile(network(), cross_entropy, 0.05, 3, 2, "adam"),
    "reptile, kept moments": lambda: Reptile(
        network(), cross_entropy, 0.05, 3, 2, "adam", keep_moments=True
    ),
    "gradient agreement": lambda: GradientAgreement(network(), cross_entropy, 0.1),
    "fine-tuning": lambda: FineTuning(network(), cross_entropy, 0.1),
}


def task(tasks=2, shot=2, query=4, seed=0):
    """Random pictures, labels shuffled: inputs of a learner."""
    rng = np.random.default_rng(seed)
    labels = [rng.permutation(np.repeat(np.arange(WAY), shot)) for _ in range(tasks)]
    return {
        "support_x": rng.random([tasks, WAY * shot, *SHAPE], np.float32),
        "support_y": np.array(labels, np.int32),
        "query_x": rng.random([tasks, query, *SHAPE], np.float32),
    }


@pytest.fixture
def made(request):
    """A learner by name, always with the same weights."""
    keras.utils.set_random_seed(3)
    return LEARNERS[request.param]()


every = pytest.mark.parametrize("made", LEARNERS, indirect=True)


@every
def test_a_saved_learner_loads_and_answers_the_same(made, tmp_path):
    """``learner.save`` and ``ModelCheckpoint`` write this file."""
    expected = made(task())
    made.save(tmp_path / "learner.keras")
    loaded = keras.saving.load_model(tmp_path / "learner.keras")
    assert type(loaded) is type(made)
    np.testing.assert_array_equal(loaded(task()), expected)


@every
def test_arrays_lists_and_bytes_give_what_tensors_give(made):
    given = task()
    expected = made({name: tf.constant(x) for name, x in given.items()})
    lists = {**given, "support_y": given["support_y"].tolist()}
    doubles = {name: x.astype(np.float64 if x.dtype == np.float32 else np.int64)
               for name, x in given.items()}  # fmt: skip
    for other in (given, lists, doubles):
        np.testing.assert_allclose(made(other), expected, rtol=1e-6, atol=1e-6)
    grey = {**given, **{k: np.round(255 * given[k]).astype(np.uint8) for k in given if "x" in k}}
    floats = {**given, **{k: grey[k] / np.float32(255) for k in given if "x" in k}}
    np.testing.assert_allclose(made(grey), made(floats), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("made", "strict"),
    [
        ("siamese", False),
        ("prototypical", False),
        ("mann", False),
        ("maml", False),
        ("caml", False),
        ("maml", True),
    ],
    indirect=["made"],
)
def test_an_exported_learner_never_gives_a_plausible_answer_to_nonsense(made, strict, tmp_path):
    endpoint = adapt_and_predict(made, strict), made.signature()
    write(tmp_path / "saved", {"serve": endpoint})
    serve = tf.saved_model.load(str(tmp_path / "saved")).signatures["serve"]
    given = {name: x[0] for name, x in task(tasks=1).items()}
    good = serve(**given)
    assert all(np.isfinite(x).all() for x in good.values())

    wrong = [{"support_y": given["support_y"] - 1}, {"support_y": given["support_y"] + 99_998},
             {"support_y": given["support_y"][:3]}]  # fmt: skip
    for change in wrong:
        try:
            answers = serve(**{**given, **change})
        except tf.errors.InvalidArgumentError:
            continue  # a shape that does not fit, or the assertion
        assert not strict
        assert all(np.isnan(x).all() for x in answers.values())

    query_x = given["query_x"].copy()
    query_x[1, 0, 0] = np.nan
    for name, x in serve(**{**given, "query_x": query_x}).items():
        assert np.isnan(x[1]).all()
        np.testing.assert_allclose(np.delete(x, 1, 0), np.delete(good[name], 1, 0), atol=1e-5)
    support_x = given["support_x"].copy()
    support_x[2] = np.inf
    assert all(np.isnan(x).all() for x in serve(**{**given, "support_x": support_x}).values())


def data():
    inputs = task()
    query_y = np.tile(np.arange(4) % WAY, [2, 1])
    return tf.data.Dataset.from_tensors((inputs, query_y)).repeat()


@pytest.mark.parametrize("made", ["prototypical", "maml", "caml", "meta-sgd"], indirect=True)
def test_fit_trains_keeps_the_best_and_exports(made, tmp_path):
    """Keras' own loop, ``ModelCheckpoint``, and Keras' own ``export`` afterwards."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(keras.optimizers.Adam(0.01), loss)
    keep = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss")
    made.fit(data(), steps_per_epoch=2, epochs=1, verbose=0, callbacks=[keep])
    kept = keras.saving.load_model(tmp_path / "best.keras")
    np.testing.assert_allclose(kept(task()), made(task()), rtol=1e-5, atol=1e-6)
    made.export(tmp_path / "exported", verbose=False)
    serve = tf.saved_model.load(str(tmp_path / "exported")).signatures["serve"]
    answers = serve(**{name: tf.constant(x[0]) for name, x in task().items()})
    expected = tf.nn.softmax(made(task()))[0]
    np.testing.assert_allclose(answers["probabilities"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("made", ["reptile", "adml", "gradient agreement"], indirect=True)
def test_what_fit_cannot_train_names_the_loop_that_does(made):
    made.compile("adam", "mse")
    with pytest.raises(
        RunError, match="fit cannot train it; give the train_step of its file to .*Loop"
    ):
        made.fit(data(), steps_per_epoch=1, epochs=1, verbose=0)


def test_a_compiled_siamese_network_loads_again(tmp_path):
    siamese = SiameseNetwork(get_embeddings(SHAPE, 2, 2))
    siamese.compile("adam", contrastive_loss)
    x = np.random.default_rng(0).random([4, *SHAPE], np.float32)
    siamese.fit({"a": x, "b": x[::-1]}, np.ones([4, 1]), verbose=0)
    siamese.save(tmp_path / "siamese.keras")
    loaded = keras.saving.load_model(tmp_path / "siamese.keras")
    np.testing.assert_array_equal(loaded({"a": x, "b": x[::-1]}), siamese({"a": x, "b": x[::-1]}))


def test_every_chapter_registers_its_classes_under_a_name_of_its_own():
    """A copied chapter that keeps a class name must not replace the other one."""
    for make in LEARNERS.values():
        cls = type(make())
        package = cls.__module__.rpartition(".")[0]
        assert keras.saving.get_registered_name(cls) == f"{package}>{cls.__name__}"


@pytest.mark.parametrize("made", ["siamese", "prototypical"], indirect=True)
def test_a_large_support_set_is_embedded_in_batches(made, monkeypatch):
    expected, sizes = made(task(query=20)), []
    monkeypatch.setattr(layers, "AT_ONCE", 7)
    encode = type(made.encoder).call

    def counted(self, x, *arguments, **options):
        sizes.append(len(x))
        return encode(self, x, *arguments, **options)

    monkeypatch.setattr(type(made.encoder), "call", counted)
    np.testing.assert_allclose(made(task(query=20)), expected, rtol=1e-5, atol=1e-6)
    assert max(sizes) <= 7


@pytest.mark.parametrize("made", ["siamese", "prototypical"], indirect=True)
def test_an_embedding_of_what_is_not_finite_is_nan(made):
    x = task()["query_x"][0]
    x[1, 3, 3] = np.nan
    x[2, 3, 3] = np.inf
    found = made.embed(x).numpy()
    assert np.isnan(found[1:3]).all() and np.isfinite(found[[0, 3]]).all()


def test_networks_without_shapes_are_one_sentence(tmp_path):
    free = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])
    with pytest.raises(RunError, match="begin it with keras.layers.Input"):
        MAML(free, cross_entropy, 0.1)
    with pytest.raises(RunError, match="shape of an item of support_x is not known yet; call"):
        PrototypicalNetwork(free).export(tmp_path / "model")
