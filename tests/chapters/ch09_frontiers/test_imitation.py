"""Meta-imitation and what stands beside it: steps, gradients, and what each policy may know."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch09_frontiers import conditioned, imitation, maml, visuomotor
from chapters.ch09_frontiers.losses import squared_error
from chapters.engine.errors import RunError
from datasets.worlds import Reacher, drawing
from datasets.worlds.reacher import NEAR

TASKS, SHOT, TIME, SEEN, OUT = 3, 2, 4, 6, 2
NAMES = ("mil", "cloned", "conditioned", "lstm")
pytestmark = pytest.mark.usefixtures("float64")  # central differences need the digits


def parts(more: int, units: int = 7):
    """Eyes, control, head and horizon."""
    keras.utils.set_random_seed(2)
    eyes = visuomotor.make_eyes(0, SEEN, 1)
    control = visuomotor.make_control(SEEN + more, [5, units])
    return eyes, control, visuomotor.make_head(units, OUT), TIME


def imitator(judge="head", **options):
    own = parts(3)
    judges = {
        "head": lambda: visuomotor.make_head(7, OUT),
        "temporal": lambda: imitation.TemporalLoss(7, filters=4, width=3),
        "none": lambda: None,
    }
    made = imitation.MetaImitation(*own, judges[judge](), bias=3, **options)
    for variable in made.trainable_variables:  # small heads would hide what matters
        variable.assign(tf.random.stateless_normal(variable.shape, [1, 2], dtype="float64") / 2)
    return made


def batch(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=[TASKS, SHOT * TIME, SEEN])
    y = rng.uniform(-1, 1, size=[TASKS, SHOT * TIME, OUT])
    other = rng.normal(size=[TASKS, TIME, SEEN])
    inputs = {"support_x": x, "support_y": y, "query_x": other}
    target = tf.constant(rng.uniform(-1, 1, size=[TASKS, TIME, OUT]))
    return {name: tf.constant(value) for name, value in inputs.items()}, target


def policies():
    keras.utils.set_random_seed(2)
    reader = conditioned.make_reader(SEEN, OUT, TIME, 4)
    return {
        "mil": imitator(),
        "cloned": conditioned.ClonedPolicy(*parts(0)),
        "conditioned": conditioned.ConditionedPolicy(*parts(SEEN)),
        "lstm": conditioned.RecurrentPolicy(*parts(4), reader),
    }


def relu(x):
    return np.maximum(x, 0)


def by_hand(weights, head, x):
    """The policy of one task in NumPy: [item, observation] -> [item, action]."""
    z, w1, b1, w2, b2 = weights
    h = np.concatenate([x, np.tile(z, (len(x), 1))], axis=1)
    h = relu(relu(h @ w1 + b1) @ w2 + b2)
    return h @ head[0] + head[1]


def test_the_inner_step_is_the_gradient_of_cloning_against_central_differences():
    policy, (inputs, _) = imitator(inner_rate=0.3, clip=0.0), batch()
    theta = [w.numpy() for w in policy.parameters()]
    judge = [w.numpy() for w in policy.judge.trainable_variables]
    adapted = policy.adapt(inputs["support_x"], inputs["support_y"])
    rng = np.random.default_rng(1)
    for task in range(TASKS):
        x, y = inputs["support_x"][task].numpy(), inputs["support_y"][task].numpy()
        for number, weight in enumerate(theta):
            place = tuple(rng.integers(size) for size in weight.shape)
            losses = []
            for step in (1e-6, -1e-6):
                moved = [w.copy() for w in theta]
                moved[number][place] += step
                losses.append(((by_hand(moved, judge, x) - y) ** 2).mean())
            slope = (losses[0] - losses[1]) / 2e-6
            found = (weight[place] - adapted[number][task].numpy()[place]) / 0.3
            assert found == pytest.approx(slope, abs=1e-6)


def test_actions_are_those_of_the_adapted_weights_and_the_other_head():
    policy, (inputs, _) = imitator(), batch()
    adapted = policy.adapt(inputs["support_x"], inputs["support_y"])
    head = [w.numpy() for w in policy.head.trainable_variables]
    action = policy(inputs)
    for task in range(TASKS):
        weights = [w[task].numpy() for w in adapted]
        expected = by_hand(weights, head, inputs["query_x"][task].numpy())
        np.testing.assert_allclose(action[task], expected, atol=1e-9)


@pytest.mark.parametrize("judge", ["head", "temporal", "none"])
def test_the_meta_gradient_against_central_differences(judge):
    policy, (inputs, target) = imitator(judge, inner_steps=2, clip=0.0), batch()

    def loss():
        return tf.reduce_mean(squared_error(target, policy(inputs, training=True)))

    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, policy.trainable_variables)
    rng = np.random.default_rng(3)
    for variable, gradient in zip(policy.trainable_variables, gradients, strict=True):
        old = variable.numpy()
        direction = rng.normal(size=old.shape)
        sides = []
        for step in (1e-5, -1e-5):
            variable.assign(old + step * direction)
            sides.append(float(loss()))
        variable.assign(old)
        expected = (sides[0] - sides[1]) / 2e-5
        found = float(tf.reduce_sum(gradient * direction))
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-8), variable.path


def test_without_a_second_head_the_step_is_that_of_maml():
    """z is a bias: with it among the weights of a network that MAML adapts the steps are equal."""
    policy, (inputs, _) = imitator("none", clip=0.0, inner_rate=0.3), batch()
    w1, b1, w2, b2 = (w.numpy() for w in policy.control.trainable_variables)
    z = policy.z.numpy()
    network = keras.Sequential(
        [keras.layers.Input((SEEN,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(7, "relu"),
         *policy.head.layers]
    )  # fmt: skip
    hidden = network.layers[:2]
    hidden[0].set_weights([w1[:SEEN], b1 + z @ w1[SEEN:]])
    hidden[1].set_weights([w2, b2])
    learner = maml.MAML(network, squared_error, 0.3)
    expected = learner.adapt(inputs["support_x"], inputs["support_y"])
    found = policy.adapt(inputs["support_x"], inputs["support_y"])
    np.testing.assert_allclose(found[1][:, :SEEN], expected[0], atol=1e-9)
    np.testing.assert_allclose(found[2] - b1, expected[1] - (b1 + z @ w1[SEEN:]), atol=1e-9)
    for ours, theirs in zip(found[3:], expected[2:4], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_without_a_rate_it_is_one_policy_for_all_tasks():
    policy, (inputs, _) = imitator(inner_rate=0.0), batch()
    action = policy(inputs)
    other = {**inputs, "support_x": inputs["support_x"] + 1, "support_y": -inputs["support_y"]}
    np.testing.assert_array_equal(policy(other), action)


def test_the_inner_gradient_is_clipped_number_by_number():
    inputs, _ = batch()
    steep = {**inputs, "support_y": inputs["support_y"] * 1e4}
    policy = imitator(clip=0.5, inner_rate=1.0)
    before, after = policy.start(TASKS), policy.adapt(steep["support_x"], steep["support_y"])
    sizes = [np.abs(b - a).max() for a, b in zip(before, after, strict=True)]
    assert max(sizes) == pytest.approx(0.5) and all(size <= 0.5 + 1e-12 for size in sizes)


def test_a_learned_loss_does_not_look_at_actions_and_a_cloned_one_does():
    inputs, _ = batch()
    other = {**inputs, "support_y": -inputs["support_y"]}
    learned, cloned = imitator("temporal"), imitator("head")
    np.testing.assert_array_equal(learned(other), learned(inputs))
    assert np.abs(cloned(other) - cloned(inputs)).max() > 1e-3


def test_a_learned_loss_depends_on_the_order_of_steps():
    policy, (inputs, _) = imitator("temporal"), batch()
    backwards = {**inputs, "support_x": inputs["support_x"][:, ::-1]}
    assert np.abs(policy(backwards) - policy(inputs)).max() > 1e-6


def test_the_learned_loss_by_hand():
    loss = imitation.TemporalLoss(3, filters=2, width=3)
    rng = np.random.default_rng(4)
    hidden = rng.normal(size=[2, 1, 5, 3])
    for variable in loss.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    weights = [w.numpy() for w in loss.trainable_variables]
    for task in range(2):
        x = hidden[task, 0]
        for layer in range(3):
            kernel, bias = weights[2 * layer : 2 * layer + 2]
            padded = np.pad(x, ((1, 1), (0, 0)))
            windows = [padded[t : t + 3] for t in range(5)]
            x = np.array([np.einsum("wi,wio->o", window, kernel) + bias for window in windows])
            x = relu(x) if layer < 2 else x
        assert float(loss(tf.constant(hidden))[task]) == pytest.approx((x**2).mean())


def test_what_each_policy_is_told():
    inputs, _ = batch()
    made = policies()
    last = inputs["support_x"].numpy().copy()
    last[:, [0, TIME]] += 1.0  # the first steps of both demonstrations
    other = {**inputs, "support_x": tf.constant(last)}
    far = {**inputs, "support_x": inputs["support_x"] + 1}
    for name, policy in made.items():
        with_first = np.abs(policy(other) - policy(inputs)).max() > 1e-9
        with_all = np.abs(policy(far) - policy(inputs)).max() > 1e-9
        expected = {"cloned": (False, False), "conditioned": (False, True)}
        assert (with_first, with_all) == expected.get(name, (True, True)), name


def test_a_conditioned_policy_by_hand():
    policy, (inputs, _) = policies()["conditioned"], batch()
    w1, b1, w2, b2 = (w.numpy() for w in policy.control.trainable_variables)
    w3, b3 = (w.numpy() for w in policy.head.trainable_variables)
    action = policy(inputs)
    for task in range(TASKS):
        support = inputs["support_x"][task].numpy()
        told = (support[TIME - 1] + support[2 * TIME - 1]) / 2  # where both demonstrations end
        for step, seen in enumerate(inputs["query_x"][task].numpy()):
            h = relu(relu(np.concatenate([seen, told]) @ w1 + b1) @ w2 + b2)
            np.testing.assert_allclose(action[task, step], h @ w3 + b3, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_every_policy_learns_from_a_step_and_is_restored_from_its_config(name):
    policy, tasks = policies()[name], batch()
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(policy.trainable_variables)
    step = imitation.train_step(policy, optimizer)
    losses = [float(step(tasks)["loss"]) for _ in range(30)]
    assert losses[-1] < losses[0]
    copy = type(policy).from_config(policy.get_config())
    for ours, theirs in zip(copy.variables, policy.variables, strict=True):
        ours.assign(theirs)
    np.testing.assert_array_equal(copy(tasks[0]), policy(tasks[0]))


@pytest.mark.parametrize("name", NAMES)
def test_a_demonstration_of_another_length_is_refused(name):
    inputs, _ = batch()
    short = {**inputs, "support_x": inputs["support_x"][:, :5],
             "support_y": inputs["support_y"][:, :5]}  # fmt: skip
    with pytest.raises(RunError, match="^support_x has 5 steps; a demonstration has 4, and there"):
        policies()[name](short)


@pytest.mark.parametrize("judge", ["head", "temporal"])
def test_a_file_gives_no_answer_to_a_demonstration_of_another_length(judge):
    policy, (inputs, _) = imitator(judge), batch()
    task = {name: x[0] for name, x in inputs.items()}
    answer = tf.function(policy.serving())
    np.testing.assert_allclose(answer(**task)["query_y"], policy(inputs)[0], atol=1e-6)
    short = {**task, "support_x": task["support_x"][:5], "support_y": task["support_y"][:5]}
    free = {name: tf.TensorSpec([None, *x.shape[1:]], x.dtype, name) for name, x in task.items()}
    if judge == "head":
        served = tf.function(policy.serving(), input_signature=list(free.values()))
        assert np.isnan(served(**short)["query_y"]).all()
    strict = tf.function(policy.serving(strict=True), input_signature=list(free.values()))
    with pytest.raises(tf.errors.InvalidArgumentError):
        strict(**short)


def test_a_policy_with_eyes_is_restored_from_its_config():
    keras.utils.set_random_seed(1)
    eyes = visuomotor.make_eyes(16, 6 + 768, 3, "keypoints")
    control, head = visuomotor.make_control(6 + 2 * 3 + 2, [5]), visuomotor.make_head(5, OUT)
    judge = imitation.TemporalLoss(5, filters=2, width=3)
    policy = imitation.MetaImitation(eyes, control, head, 2, judge, bias=2, learn_rates=True)
    copy = imitation.MetaImitation.from_config(policy.get_config())
    for ours, theirs in zip(copy.variables, policy.variables, strict=True):
        ours.assign(theirs)
    x = tf.random.stateless_uniform([1, 2, 774], [1, 2], dtype="float64")
    inputs = {"support_x": x, "support_y": x[..., :2], "query_x": x}
    np.testing.assert_array_equal(copy(inputs), policy(inputs))


def test_keypoints_are_mean_places():
    maps = np.full([1, 8, 8, 2], -50.0)
    maps[0, 0, 0, 0] = 50.0  # in the upper left corner
    maps[0, 3:5, 3:5, 1] = 50.0  # in the middle
    found = visuomotor.Keypoints()(tf.constant(maps, tf.float32))
    corner = 1.15 * (1 - 1 / 8)
    np.testing.assert_allclose(found, [[-corner, corner, 0, 0]], atol=1e-5)


def test_places_are_sums_in_units_of_a_target():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=[2, 6, 6, 3])
    steps = ((np.arange(6) + 0.5) / 6 * 2 - 1) * 1.15
    expected = np.zeros([2, 3, 2])
    for row in range(6):
        for column in range(6):
            place = np.array([steps[column], -steps[row]])
            expected += maps[:, row, column, :, None] * place
    covered = np.pi * NEAR**2 / (2.3 / 6) ** 2  # pixels under a target
    found = visuomotor.Places()(tf.constant(maps))
    np.testing.assert_allclose(found, expected.reshape(2, 6) / covered, rtol=1e-5)


def test_places_of_colours_are_the_numbers_of_the_reacher():
    """Colours summed over places, where nothing but targets is to be seen."""
    numbers = Reacher()
    task = numbers.tasks(4, tf.constant([1, 2]))
    state = numbers.start(task, 1, tf.constant([3, 4]))
    picture = drawing.ground([4, 1], 92)
    picture = drawing.discs(picture, state.place, NEAR, task[:, None])
    ink = tf.reshape(picture - drawing.GROUND, [4, 92, 92, 3])
    # A target adds its colour less the ground's.
    expected = tf.einsum("akc,akx->acx", task - drawing.GROUND, state.place[:, 0])
    found = visuomotor.Places()(ink)
    np.testing.assert_allclose(found, tf.reshape(expected, [4, 6]), atol=0.02)


@pytest.mark.parametrize("reading", ["places", "keypoints", "strided"])
@pytest.mark.parametrize("adapt_eyes", [False, True])
def test_eyes_are_adapted_where_it_is_asked_for(adapt_eyes, reading):
    keras.utils.set_random_seed(1)
    eyes = visuomotor.make_eyes(8, 6 + 192, 3, reading)
    control = visuomotor.make_control(eyes.output_shape[-1] + 2, [5])
    head = visuomotor.make_head(5, OUT)
    policy = imitation.MetaImitation(eyes, control, head, 2, bias=2, adapt_eyes=adapt_eyes)
    rng = np.random.default_rng(0)
    x = tf.constant(rng.uniform(size=[2, 2, 198]))
    y = tf.constant(rng.uniform(-1, 1, size=[2, 2, OUT]))
    adapted = policy.adapt(x, y)
    assert len(adapted) == 3 + (len(eyes.trainable_variables) if adapt_eyes else 0)
    assert policy.predict_with(adapted, x).shape == (2, 2, OUT)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(policy({"support_x": x, "support_y": y, "query_x": x + 0.1}))
    assert all(g is not None for g in tape.gradient(loss, policy.trainable_variables))
