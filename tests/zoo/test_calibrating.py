"""Calibration: the temperature, how far probabilities are off, and tasks that share nothing."""

import json

import numpy as np
import pytest

import zoo
from zoo import calibrating, loading
from zoo.calibrating import Outcomes
from zoo.errors import ZooError
from zoo.records import cards, store

RNG = np.random.default_rng(0)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def drawn(logits, sharpness=1.0):
    """Labels as the probabilities say, and what a learner says that is too sure of it."""
    truth = np.array([RNG.choice(logits.shape[1], p=p) for p in softmax(logits)])
    return Outcomes(softmax(sharpness * logits), truth)


def test_a_temperature_divides_logits():
    logits = RNG.normal(size=[5, 4])
    found = calibrating.at_temperature(Outcomes(softmax(logits), np.zeros(5, int)), 2.5)
    np.testing.assert_allclose(found.probabilities, softmax(logits / 2.5), rtol=1e-6)


def test_classes_that_a_task_does_not_have_stay_impossible():
    found = Outcomes(np.array([[0.9, 0.1, 0.0]]), np.array([0]))
    assert calibrating.at_temperature(found, 50.0).probabilities[0, 2] == 0


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_of_too_sure_a_learner_is_found(sharpness):
    found = drawn(RNG.normal(size=[20_000, 5]), sharpness)
    temperature = calibrating.fit(found)
    assert temperature == pytest.approx(sharpness, rel=0.08)
    scaled = calibrating.at_temperature(found, temperature)
    assert calibrating.expected_error(scaled) < 0.015
    if sharpness != 1:
        assert calibrating.expected_error(found) > 3 * calibrating.expected_error(scaled)


def test_the_expected_error_equals_a_loop():
    found = drawn(RNG.normal(size=[300, 4]), 2.0)
    total = 0.0
    for place in range(calibrating.BINS):
        low, high = place / calibrating.BINS, (place + 1) / calibrating.BINS
        top = found.probabilities.max(axis=1)
        inside = [i for i in range(300) if low <= top[i] < high or (high == 1 and top[i] == 1)]
        if inside:
            right = np.mean([found.probabilities[i].argmax() == found.truth[i] for i in inside])
            total += len(inside) / 300 * abs(right - np.mean(top[inside]))
    assert calibrating.expected_error(found) == pytest.approx(total)
    assert calibrating.reliability(found)[:, 0].sum() == pytest.approx(1.0)


def test_who_is_always_right_and_sure_has_no_error():
    sure = Outcomes(np.eye(3), np.arange(3))
    assert calibrating.expected_error(sure) == 0.0
    assert calibrating.expected_error(sure._replace(truth=np.array([1, 2, 0]))) == 1.0


def test_tasks_share_no_item_and_no_class_with_strangers():
    members = np.split(np.arange(100), 20)  # five items of each
    tasks = calibrating.draw(members, 5, 2, 3, 30, others=5)
    assert tasks.support.shape == (30, 10) and tasks.unknown.shape == (30, 15)
    for support, query, unknown in zip(tasks.support, tasks.query, tasks.unknown, strict=True):
        assert len({*support, *query, *unknown}) == 40
        assert not {i // 5 for i in support} & {i // 5 for i in unknown}
        assert (support // 5 == np.repeat(support[::2] // 5, 2)).all()
        np.testing.assert_array_equal(query[::3] // 5, support[::2] // 5)  # in the order of labels
    assert calibrating.draw(members, 15, 2, 3, 1, others=6) is None


def test_of_classes_with_few_items_fewer_are_asked_for():
    members = np.split(np.arange(40), 10)  # four items of each
    assert calibrating.draw(members, 5, 1, 5, 2).query.shape == (2, 15)
    assert calibrating.draw(members, 5, 4, 5, 2) is None


@pytest.mark.slow
@pytest.mark.real_data
def test_a_card_says_what_is_measured():
    loaded = loading.load("prototypical-emoji")
    written = loaded.card["calibration"]
    found, curves = calibrating.measure(loaded)
    assert found["temperature"] == pytest.approx(written["temperature"], rel=1e-2)
    assert found["error"] == pytest.approx(written["error"], abs=2e-3)
    assert found["error_before"] == pytest.approx(written["error_before"], abs=2e-3)
    for name in ("limits", "levels"):
        assert set(found[name]) == set(written[name])
    assert set(curves) == {"as trained", "calibrated"}


def test_probabilities_are_those_of_the_temperature_and_logits_are_not_touched():
    loaded = loading.load("prototypical-omniglot-5shot")
    temperature = loaded.card["calibration"]["temperature"]
    assert loaded.learner.temperature == temperature != 1
    task = loaded.kind.fixed_input(loaded)
    logits = loaded.learner(task).numpy()
    np.testing.assert_allclose(logits.ravel(), loaded.card["output"], rtol=1e-3)
    found = loaded.learner.answer(logits[0], task["support_y"][0])["probabilities"]
    np.testing.assert_allclose(found, softmax(logits[0] / temperature), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"temperature": 0}, "has the temperature 0"),
        ({"temperature": "warm"}, "calibration: temperature = 'warm'"),
        ({"limits": {"5w1s": [1.0]}}, "has limits that are no table"),
        ({"levels": {"five": [1.0] * 6}}, "has levels that are no table"),
        ({"levels": {"5w2s": [1.0] * 5 + ["x"]}}, "has levels that are no table"),
    ],
)
def test_a_calibration_that_is_none_is_one_sentence(changes, sentence, tmp_path):
    card = zoo.info("prototypical-omniglot-5shot")
    card["calibration"] |= changes
    (tmp_path / store.CARD).write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(ZooError, match=sentence):
        cards.read(tmp_path)


def test_a_model_without_classes_for_validation_is_not_calibrated():
    loaded = loading.load("prototypical-omniglot-background")
    assert calibrating.measure(loaded) == ({}, {})
    assert calibrating.measure(loading.load("maml-sine-5shot")) == ({}, {})
