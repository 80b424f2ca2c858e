"""None of these: distances of what is left out, limits, and who is refused by them."""

import json

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

import datasets
import zoo
from chapters.ch02_siamese.models import NearestNeighbour, SiameseNetwork
from chapters.ch03_prototypical.models import PrototypicalNetwork
from chapters.ch04_relation_matching.matching import MatchingNetwork
from chapters.engine.evaluation import interval95
from chapters.engine.learner import FAR
from zoo import __main__ as command_line
from zoo import calibrating, loading, rejecting, unknown_table
from zoo.classifying import answers
from zoo.errors import ZooError

NAME = "prototypical-omniglot-5shot"
RNG = np.random.default_rng


class Identity(keras.layers.Layer):
    """Items are their own embeddings."""

    def call(self, x, training=False):
        return x


def test_what_is_left_out_is_measured_from_the_others():
    """Loops: the nearest mean of the others, squared; nothing of the only item of a class."""
    items = RNG(0).normal(size=[7, 3]).astype(np.float32)
    labels = np.array([0, 1, 2, 0, 1, 0, 1], np.int32)
    found = rejecting.left_out(PrototypicalNetwork(Identity()), items, labels)
    for i, item in enumerate(items):
        others = [j for j in range(7) if j != i]
        means = [items[[j for j in others if labels[j] == k]] for k in range(3)]
        means = [group.mean(axis=0) for group in means if len(group)]
        nearest = min(((item - mean) ** 2).sum() for mean in means)
        assert (
            np.isnan(found[i]) if labels[i] == 2 else found[i] == pytest.approx(nearest, rel=1e-4)
        )


def test_of_many_items_some_are_left_out(monkeypatch):
    monkeypatch.setattr(rejecting, "MOST", 5)
    items, labels = RNG(0).normal(size=[40, 3]).astype(np.float32), np.tile([0, 1], 20)
    found = rejecting.left_out(PrototypicalNetwork(Identity()), items, labels.astype(np.int32))
    assert (~np.isnan(found)).sum() == 5


def test_ranks_by_hand():
    others = np.array([3.0, 1.0, 2.0])
    beyond = rejecting.share_beyond(np.array([0.0, 1.0, 1.5, 3.0, 9.0]), others)
    np.testing.assert_allclose(beyond, [0.875, 0.75, 0.625, 0.25, 0.125])
    assert rejecting.distance_at(0.25, others) == 3.0
    assert rejecting.distance_at(0.5, others) == 2.0
    assert rejecting.distance_at(0.2, others) is None  # of three, a fifth is nobody


def test_a_limit_is_where_the_share_beyond_it_is_the_share():
    others = RNG(0).exponential(size=50)
    for share in (0.05, 0.1, 0.33):
        found = rejecting.distance_at(share, others)
        assert rejecting.share_beyond(np.array([found]), others) == pytest.approx(share)


TABLE = {"5w1s": [9.0, 8.0, 7.0, 6.0, 5.0, 4.0], "20w1s": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
         "5w5s": [90.0, 80.0, 70.0, 60.0, 50.0, 40.0]}  # fmt: skip


@pytest.mark.parametrize(
    ("way", "shot", "share", "limit"),
    [(5, 1, 0.05, 7.0), (2, 4, 0.1, 6.0), (20, 1, 0.01, 0.9), (11, 1, 0.5, 0.4), (9, 1, 0.5, 4.0),
     (20, 7, 0.05, 70.0), (5, 1, 0.15, 5.5), (5, 1, 0.9, 4.0)],
)  # fmt: skip
def test_without_examples_to_leave_out_the_card_tells(way, shot, share, limit):
    labels = np.repeat(np.arange(way), shot)
    card = {"calibration": {"limits": TABLE, "levels": {}}}
    none = np.full(len(labels), np.nan)
    assert rejecting.limit(card, labels, none, share).distance == pytest.approx(limit)


def test_the_card_knows_how_much_rarer_queries_are_beyond_a_rank():
    labels, distances = np.repeat(np.arange(10), 2), np.arange(1.0, 21.0)
    card = {"calibration": {"limits": {}, "levels": {"5w2s": [0.1, 0.15, 0.2, 0.25, 0.3, 0.8]}}}
    plain = rejecting.limit({}, labels, distances, 0.1)
    known = rejecting.limit(card, labels, distances, 0.1)
    assert plain.distance == pytest.approx(0.9 * 21) and known.distance == pytest.approx(0.75 * 21)
    assert known.source == "20 examples, each left out in turn"


@pytest.mark.parametrize("share", [0, -0.1, 1, float("nan")])
def test_a_share_is_between_0_and_1(share):
    with pytest.raises(ZooError, match="is a share between 0 and 1, such as 0.05"):
        rejecting.limit({}, np.array([0, 1]), np.array([1.0, 1.0]), share)


def test_too_few_examples_of_a_model_that_is_not_calibrated_are_told():
    with pytest.raises(
        ZooError, match=r"4 examples .* refuse 5.0% by them; give about 20, two of a class"
    ):
        rejecting.limit({}, np.repeat([0, 1], 2), np.arange(4.0), 0.05)


@pytest.mark.parametrize("shot", [2, 3, 5])
def test_as_many_members_are_refused_as_were_asked_for(shot):
    """On characters of another kind than it was trained on, which it never saw; the interval is
    over tasks, whose queries share a limit.
    """
    loaded, data = loading.load(NAME), datasets.load("strokes")
    held_out = calibrating.classes(loaded, data, "test")
    tasks = calibrating.draw(held_out.members, 10, shot, 5, 60)
    nearest = calibrating.answers(loaded, held_out, tasks, tasks.query).distance.min(axis=-1)
    for share in (0.1, 0.2):
        refused = []
        for support, labels, query in zip(tasks.support, tasks.support_y, nearest, strict=True):
            distances = rejecting.left_out(loaded.learner, held_out.items[support], labels)
            limit = rejecting.limit(loaded.card, labels, distances, share).distance
            refused.append((query > limit).mean())
        assert abs(np.mean(refused) - share) <= 1.5 * interval95(np.array(refused)) + 0.01


@pytest.fixture(scope="module")
def signs(tmp_path_factory):
    """Six classes of characters, eight files each; the last three are strangers."""
    folder, data = tmp_path_factory.mktemp("signs"), datasets.load("strokes")
    for k in range(6):
        place = folder / ("known" if k < 3 else "strange") / f"sign {k}"
        place.mkdir(parents=True)
        for number in range(8):
            item = data.items[data.items_of(k)[number]]
            Image.fromarray(255 - item).save(place / f"{number}.png")
    return folder


def test_strangers_are_refused_and_members_are_not(signs):
    strangers = sorted((signs / "strange").glob("*/*.png"))
    members = sorted((signs / "known").glob("*/*.png"))
    found = [
        zoo.predict(NAME, signs / "known", files, reject=0.05) for files in (strangers, members)
    ]
    refused = [np.mean([one["name"] is None for one in several]) for several in found]
    assert refused[0] > 0.5 and refused[1] < 0.1
    for one in sum(found, []):
        assert (one["name"] is None) == (one["distance"] > one["limit"])
    never = zoo.predict(NAME, signs / "known", strangers)
    assert all(one["name"] and "limit" not in one for one in never)
    assert [one["distance"] for one in never] == [one["distance"] for one in found[0]]


def test_the_command_says_none_of_these(signs, capsys):
    strangers = sorted((signs / "strange").glob("*/*.png"))
    found = zoo.predict(NAME, signs / "known", strangers, reject=0.05)
    stranger = next(one["query"] for one in found if one["name"] is None)
    asked = ["predict", NAME, "--support", str(signs / "known"), "--query", stranger]
    assert command_line.main([*asked, "--reject", "0.05"]) == 0
    assert f"{stranger}: none of these (sign " in capsys.readouterr().out
    assert command_line.main([*asked, "--reject", "0.05", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answers"][0]["name"] is None
    assert command_line.main([*asked, "--reject", "5"]) == 2
    assert "--reject is 5; it is a share between 0 and 1" in capsys.readouterr().err


def test_unlabelled_files_and_a_limit_do_not_go_together(signs):
    with pytest.raises(ZooError, match="--reject is not for --unlabelled"):
        zoo.predict("semi-prototypical-omniglot-soft", signs / "known", [signs / "x.png"],
                    unlabelled=signs / "strange", reject=0.05)  # fmt: skip


def test_a_matching_network_is_far_from_what_is_like_nothing():
    """Its attention is shared out alike, so log p is the same; the distance is not."""
    learner = MatchingNetwork(Identity(), "learned")
    support, labels = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32), np.array([0, 1])
    near, far = np.array([[1.0, 1.0]], np.float32), np.array([[-1.0, -1.0]], np.float32)
    found = [answers(learner, support, labels, x) for x in (near, far)]
    np.testing.assert_allclose(found[0].probabilities, found[1].probabilities, rtol=1e-5)
    scale = np.exp(float(learner.log_scale.numpy()))
    for one, cosine in zip(found, (np.sqrt(0.5), -np.sqrt(0.5)), strict=True):
        np.testing.assert_allclose(one.distance, np.full([1, 2], -scale * cosine), rtol=1e-4)


def test_a_siamese_network_says_its_own_distance():
    learner = NearestNeighbour(SiameseNetwork(Identity()), sharpness=7.0)
    support, labels = np.array([[0.0, 0.0], [3.0, 4.0]], np.float32), np.array([0, 1])
    found = answers(learner, support, labels, np.zeros([1, 2], np.float32))
    np.testing.assert_allclose(found.distance, [[0.0, 5.0]], rtol=1e-6)


def test_a_class_that_nobody_shows_is_as_far_as_can_be():
    model = zoo.load("maml-omniglot-5way")
    x = RNG(0).uniform(size=[1, 3, 28, 28, 1]).astype(np.float32)
    labels = np.array([[0, 3]], np.int32)
    logits = model.learner({"support_x": x[:, :2], "support_y": labels, "query_x": x[:, 2:]})
    found = model.learner.answer(logits[0], labels[0])["distance"].numpy()
    assert (found[0] == FAR).tolist() == [False, True, True, False, True]
    np.testing.assert_array_equal(found[0, [0, 3]], -logits.numpy()[0, 0, [0, 3]])


def test_the_area_is_that_of_scikit_learn():
    inside, outside = RNG(0).integers(0, 5, 30), RNG(1).integers(2, 8, 20)
    truth = np.repeat([0, 1], [30, 20])
    expected = roc_auc_score(truth, np.concatenate([inside, outside]))
    assert unknown_table.area(inside, outside) == pytest.approx(expected)
