"""ADML: its meta-gradient, what it reduces to, and the errata of sections 6.6 and 6.7."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import adml, maml
from chapters.ch06_maml.adml import ADML
from chapters.ch06_maml.adversarial import fgsm
from chapters.ch06_maml.losses import cross_entropy
from chapters.ch06_maml.maml import MAML
from chapters.engine.mapping import MODES
from tests.chapters.meta_gradients import (
    assert_close,
    central_differences,
    classification,
    differ,
    step_gradient,
    tanh_network,
    use,
)


@pytest.fixture(autouse=True)
def float64():
    """Central differences need the digits."""
    use("float64")
    yield
    use("float32")


def learner(network=None, **options):
    """Rates that differ, so that one taken for the other is noticed."""
    options = {"adversarial_rate": 0.7, "epsilon": 0.1, **options}
    return ADML(network or tanh_network(outputs=3), cross_entropy, 0.4, **options)


def gradient(model, batch=None, **options):
    return step_gradient(adml.train_step, model, batch or classification(), **options)


@pytest.mark.parametrize("pairing", adml.PAIRINGS)
@pytest.mark.parametrize("inner_steps", [1, 2])
def test_meta_gradient_equals_central_differences(pairing, inner_steps):
    """The attacks are constants almost everywhere: moving theta a little flips no sign."""
    model = learner(pairing=pairing, inner_steps=inner_steps, clean_share=0.3)
    inputs, query_y = classification()

    def loss():
        clean, attacked = model.predict_pair(inputs, query_y)
        losses = 0.3 * cross_entropy(query_y, clean) + 0.7 * cross_entropy(query_y, attacked)
        return tf.reduce_mean(losses)

    expected = central_differences(loss, model.trainable_variables)
    assert_close(gradient(model), expected, 1e-6)


@pytest.mark.parametrize("pairing", adml.PAIRINGS)
@pytest.mark.parametrize("first_order", [False, True])
def test_without_attacks_the_gradient_is_mamls(pairing, first_order):
    network = tanh_network(outputs=3)
    options = {"inner_steps": 2, "first_order": first_order}
    adversarial = learner(network, epsilon=0.0, adversarial_rate=None, pairing=pairing, **options)
    plain = MAML(network, cross_entropy, 0.4, **options)
    batch = classification()
    expected = step_gradient(maml.train_step, plain, batch)
    assert_close(gradient(adversarial, batch), expected, 1e-14)


def test_e6_17_clean_and_attacked_are_crossed():
    """Swapping the two test sets changes the update; the book's pairing is an option."""
    network = tanh_network(outputs=3)
    crossed, parallel = (learner(network, pairing=pairing) for pairing in adml.PAIRINGS)
    assert differ(gradient(crossed), gradient(parallel)) > 1e-2


def test_e6_17_each_adaptation_answers_for_what_it_has_not_seen():
    """The pair of predictions, put together from MAML and FGSM by hand."""
    network = tanh_network(outputs=3)
    inputs, query_y = classification()
    x, y, query_x = (inputs[name] for name in ("support_x", "support_y", "query_x"))
    model, clean = learner(network), MAML(network, cross_entropy, 0.4)
    adversary = MAML(network, cross_entropy, 0.7)

    def attack(weights, x, y):
        return fgsm(lambda x: clean.predict_with(weights, x), cross_entropy, x, y, 0.1)

    theta_clean = clean.adapt(x, y)
    theta_adv = adversary.adapt(attack(clean.adapt(x, y, 0), x, y), y)
    for_clean, for_attacked = model.predict_pair(inputs, query_y)
    np.testing.assert_allclose(for_clean, clean.predict_with(theta_adv, query_x))
    attacked_x = attack(theta_clean, query_x, query_y)
    np.testing.assert_allclose(for_attacked, clean.predict_with(theta_clean, attacked_x))

    # The book's pairing: E6.23, its attacked queries are the clean ones, attacked.
    for_clean, for_attacked = learner(network, pairing="parallel").predict_pair(inputs, query_y)
    np.testing.assert_allclose(for_clean, clean.predict_with(theta_clean, query_x))
    attacked_x = attack(theta_adv, query_x, query_y)
    np.testing.assert_allclose(for_attacked, clean.predict_with(theta_adv, attacked_x))


def test_e6_22_calls_add_nothing_to_the_graph():
    """One trace and the same variables, however many steps."""
    model, traces = learner(), []
    optimizer = keras.optimizers.SGD(0.1)
    inner = adml.train_step(model, optimizer, "sequential")
    step = tf.function(lambda batch: traces.append(1) or inner(batch))
    for seed in range(3):
        step(classification(seed=seed))
    assert len(traces) == 1
    assert len(model.variables) == len(model.network.variables)


def test_the_share_weighs_the_two_losses():
    network, batch = tanh_network(outputs=3), classification()
    clean, attacked, mixed = (
        gradient(learner(network, clean_share=share), batch) for share in (1.0, 0.0, 0.25)
    )
    expected = [0.25 * c + 0.75 * a for c, a in zip(clean, attacked, strict=True)]
    assert differ(clean, attacked) > 1e-2
    assert_close(mixed, expected, 1e-12)


def test_both_mappings_give_the_same_gradient_and_metrics():
    model, batch = learner(), classification()
    one, other = (gradient(model, batch, mapping=mode, compiler=tf.function) for mode in MODES)
    assert_close(one, other, 1e-12)
    results = [adml.train_step(model, keras.optimizers.SGD(0.0), mode)(batch) for mode in MODES]
    assert results[0].keys() == {"loss", "clean_accuracy", "adversarial_accuracy"}
    for name, value in results[0].items():
        np.testing.assert_allclose(value, results[1][name], rtol=1e-6)


def test_compiled_by_xla_the_step_is_the_same():
    use("float32")
    model, batch = learner(), classification(dtype=tf.float32)
    plain = gradient(model, batch, compiler=tf.function)
    compiled = gradient(model, batch, compiler=lambda f: tf.function(f, jit_compile=True))
    assert_close(compiled, plain, 1e-5)


def test_at_test_it_adapts_and_predicts_as_maml():
    network, (inputs, _) = tanh_network(outputs=3), classification()
    plain = MAML(network, cross_entropy, 0.4, inner_steps=1, test_steps=3)
    model = learner(network, inner_steps=1, test_steps=3)
    np.testing.assert_array_equal(model(inputs), plain(inputs))


def test_attacks_aim_at_the_predictions_in_use():
    """With batch norm: honest predictions are attacked as honest ones."""
    model = learner(normalised_network(), epsilon=0.02)
    inputs, query_y = classification()
    support_x, query_x = inputs["support_x"], inputs["query_x"]
    weights = model.adapt(support_x, inputs["support_y"])
    attacked = model.attack(weights, query_x, query_y, support_x)
    losses = [
        cross_entropy(query_y, model.predict_with(weights, x, support_x))
        for x in (query_x, attacked)
    ]
    assert np.all(losses[1] > losses[0])
    transductive = model.attack(weights, query_x, query_y)
    assert np.any(np.abs(transductive - attacked) > 0.01)


def normalised_network():
    """With batch norm, so that it matters whose statistics are used."""
    normalise = keras.layers.BatchNormalization()
    layers = [keras.layers.Input((2,)), keras.layers.Dense(5), normalise]
    layers += [keras.layers.Activation("tanh"), keras.layers.Dense(3)]
    return keras.Sequential(layers)


@pytest.mark.parametrize("batch_norm", ["transductive", "support"])
def test_in_both_batch_norm_regimes_it_is_maml_without_attacks(batch_norm):
    network, batch = normalised_network(), classification()
    options = {"batch_norm": batch_norm}
    model = learner(network, epsilon=0.0, adversarial_rate=None, **options)
    plain = MAML(network, cross_entropy, 0.4, **options)
    assert differ(gradient(model, batch), step_gradient(maml.train_step, plain, batch)) < 1e-12


@pytest.mark.parametrize("pairing", adml.PAIRINGS)
def test_honest_queries_are_normalised_by_what_their_weights_were_adapted_to(pairing):
    """The attacked support set belongs to the adversarial weights, whichever queries they get."""
    model = learner(normalised_network(), batch_norm="support", pairing=pairing)
    inputs, query_y = classification()
    x, y, query_x = (inputs[name] for name in ("support_x", "support_y", "query_x"))
    attacked_x = model.attack(model.adapt(x, y, 0), x, y)
    of_clean = model.adapt(x, y, 1), x
    of_attacked = model.adversary.adapt(attacked_x, y, 1), attacked_x
    pairs = {"crossed": (of_attacked, of_clean), "parallel": (of_clean, of_attacked)}
    (weights, support), (attacked_weights, attacked_support) = pairs[pairing]
    attacked_query_x = model.attack(attacked_weights, query_x, query_y, attacked_support)
    expected = [
        model.predict_with(weights, query_x, support),
        model.predict_with(attacked_weights, attacked_query_x, attacked_support),
    ]
    for found, wanted in zip(model.predict_pair(inputs, query_y), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_weights_are_saved_once_and_load(tmp_path):
    """Both adaptations start from one theta."""
    model, other, (inputs, _) = learner(), learner(), classification()
    path = tmp_path / "adml.weights.h5"
    model.save_weights(path)
    assert differ([other(inputs).numpy()], [model(inputs).numpy()]) > 1e-3
    other.load_weights(path)
    np.testing.assert_array_equal(other(inputs), model(inputs))
    np.testing.assert_array_equal(other.adversary(inputs), model.adversary(inputs))


def test_an_unknown_pairing_is_refused():
    with pytest.raises(ValueError, match="'both'.*crossed, parallel"):
        learner(pairing="both")
