# %% [markdown]
# # Lesson 7: Meta-SGD and Reptile
#
# Sections 7.1 to 7.7 of the book. A learned rate for every weight, with numbers that can be checked
# by hand, a short training, curves that the network has never seen; then Reptile, which needs no
# gradient of a gradient. Ten minutes to read, two to run; nothing is downloaded.

# %%
import sys
from pathlib import Path

# The project is in this folder or in one above it, unless it is installed.
for folder in (Path.cwd(), *Path.cwd().parents):
    if (folder / "chapters" / "lessons.py").exists():
        sys.path.insert(0, str(folder))
        break

from chapters.engine import script

print(script.prepare(seed=0))

# %%
import math

import keras
import numpy as np
import tensorflow as tf

from chapters.ch07_meta_sgd_reptile import plots
from chapters.ch07_meta_sgd_reptile.losses import binary_cross_entropy, squared_error
from chapters.ch07_meta_sgd_reptile.meta_sgd import MetaSGD
from chapters.ch07_meta_sgd_reptile.networks import draw_as_pytorch, mlp
from chapters.ch07_meta_sgd_reptile.reptile import Reptile, minibatches
from chapters.engine.figures import legend, plt
from chapters.experiments.sine.pictures import fits
from chapters.experiments.sine.testing import error_after
from datasets.tasks.hyperplanes import HyperplaneTasks
from datasets.tasks.sinusoid import SineTasks

# %matplotlib inline

# %% [markdown]
# ## 7.1 Meta-SGD
#
# MAML ([lesson 6](../ch06_maml/lesson.ipynb)) learns first weights $\theta$ from which a gradient
# step solves a task. How long the step is, $\alpha$, somebody has to choose. Meta-SGD learns that
# as well: $\alpha$ has one rate for each weight, and $\circ$ multiplies number by number.
#
# $$\theta'_i = \theta - \alpha \circ \nabla_\theta L_{T_i}(\theta)$$
#
# A task is a curve $y = A \sin(x + b)$. A few points of it, the *support set*, are given, and $y$
# is asked for at others, the *queries*:

# %%
inputs, query_y = SineTasks(shot=10, query=10, tasks=2, seed=0)(0)
for name, value in {**inputs, "query_y": query_y}.items():
    print(f"{name.ljust(10)}{value.shape}")  # [task, point, 1]

learner = MetaSGD(mlp(1, 1), squared_error, rate=0.01)  # where all rates begin
adapted = learner.adapt(inputs["support_x"], inputs["support_y"])  # list of [task, ...]
for theta, alpha, weight in zip(
    learner.network.trainable_variables, learner.rates, adapted, strict=True
):
    shapes = f"{str(theta.shape).ljust(10)} alpha {str(alpha.shape).ljust(10)}"
    print(f"theta {shapes} adapted {weight.shape}")
print("prediction", learner.predict_with(adapted, inputs["query_x"]).shape)  # [task, query, 1]

# %% [markdown]
# A model of two numbers can be followed by hand: $f(x) = \theta_1 x_1 + \theta_2 x_2$ with $\theta
# = (1, 5)$, where $(1, 3)$ would be right. The first number should stay and the second should fall.
#
# - Support point $x = (1, 1)$, $y = 4$: $f = 6$, the error is 2, so the gradient is $g_0 = 2 \cdot
#   2 \cdot (1, 1) = (4, 4)$.
# - With $\alpha = (0.1, 0.5)$: $\theta' = (1 - 0.4, 5 - 2) = (0.6, 3)$.
# - Query point $x = (-1, 1)$, $y = 2$: $f = 2.4$, the error is 0.4, the loss is 0.16 and its
#   gradient $g_1 = 2 \cdot 0.4 \cdot (-1, 1) = (-0.8, 0.8)$.
# - By the chain rule $\nabla_\alpha L = -g_0 \circ g_1 = (3.2, -3.2)$: the first rate should fall,
#   the second should rise. That is right, since (0, 0.5) leads to $(1, 3)$.

# %%
one = {"support_x": [[[1.0, 1.0]]], "support_y": [[[4.0]]], "query_x": [[[-1.0, 1.0]]]}
one, one_y = {name: tf.constant(value) for name, value in one.items()}, tf.constant([[[2.0]]])
two_numbers = [keras.layers.Input((2,)), keras.layers.Dense(1, use_bias=False)]
by_hand = MetaSGD(keras.Sequential(two_numbers), squared_error, rate=0.1)
by_hand.network.set_weights([np.array([[1.0], [5.0]])])
alpha = by_hand.rates[0]  # [dim, 1], as theta


def query_loss(rates):
    alpha.assign(tf.reshape(tf.constant(rates), [2, 1]))
    with tf.GradientTape() as tape:
        loss = squared_error(one_y, by_hand(one, training=True))[0]
    return float(loss), tape.gradient(loss, alpha).numpy().ravel()


loss, gradient = query_loss([0.1, 0.5])
print("theta'", by_hand.adapt(one["support_x"], one["support_y"])[0].numpy().ravel())
print(f"query loss {loss:.2f}, its gradient by alpha {gradient.round(4)}")

# %% [markdown]
# **As printed, it fails.** The book's code changes $\alpha$ with $g_1$, the gradient by $\theta$
# (E7.1). Here that has the opposite sign, and a step makes the loss larger:

# %%
for name, direction in {"g_1, printed": [-0.8, 0.8], "-g_0 o g_1": gradient}.items():
    rates = [0.1, 0.5] - 0.01 * np.array(direction)
    print(f"{name.ljust(13)} alpha {rates.round(3)}, query loss {query_loss(rates)[0]:.4f}")

# %% [markdown]
# **Question.** *What does Meta-SGD learn, besides the first weights?* A rate for each weight. That
# is the length of the step, and its *direction* too: with unequal rates it is no longer that of
# the gradient, and a negative rate turns it round.
#
# ## 7.2 Meta-SGD in supervised learning
#
# The outer loop changes $\theta$ and $\alpha$ by the loss on the queries of the same tasks:
#
# $$(\theta, \alpha) \leftarrow (\theta, \alpha) - \beta \nabla_{(\theta, \alpha)}
# \sum_i L_{T_i}(\theta'_i)$$
#
# The call of a learner adapts and predicts, so the tape goes through the inner step:

# %%
STEPS, EPISODES = 4000, 300  # of each training, and curves of a test


def outer_step(learner, variables, tasks):
    optimizer = keras.optimizers.Adam(0.001)  # beta
    optimizer.build(variables)

    @tf.function(jit_compile=True)  # one compiled program, which is faster
    def step(index):
        inputs, query_y = tasks(index)
        with tf.GradientTape() as tape:
            prediction = learner(inputs, training=True)  # adapts; [task, query, 1]
            loss = tf.reduce_mean(learner.objective(query_y, prediction))
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    return step


def train(name, step):
    losses = [float(step(tf.constant(number))) for number in range(STEPS)]
    tenth = max(1, STEPS // 10)
    print(f"{name}: mean loss of the first {tenth} steps {np.mean(losses[:tenth]):.2f}, ", end="")
    print(f"of the last {tenth} {np.mean(losses[-tenth:]):.2f}")


# %% [markdown]
# If the rates stay at 0.01, it is MAML. So the same class gives both, by what the outer loop may
# change:

# %%
curves = SineTasks(shot=10, query=10, tasks=4, seed=1)
maml = MetaSGD(mlp(1, 1), squared_error, rate=0.01)
train("MAML", outer_step(maml, maml.network.trainable_variables, curves))  # theta
train("Meta-SGD", outer_step(learner, learner.trainable_variables, curves))  # theta and alpha

# %% [markdown]
# **Something new.** Curves of another seed, which no step has seen; ten points of each, one inner
# step, and the error on 40 other points:

# %%
new_curves = SineTasks(shot=10, query=40, tasks=100, seed=2)
for name, network in {"MAML": maml, "Meta-SGD": learner}.items():
    before, after = (error_after(network, new_curves, steps, EPISODES)().mean for steps in (0, 1))
    print(f"{name.ljust(9)} error before the step {before:.2f}, after it {after:.2f}")

figure = plots.rates(learner.learned_rates())

# %% [markdown]
# One step does more with learned rates. Their means differ from layer to layer, and some are
# negative: on those weights the step goes uphill, which no rate chosen by hand would do.
#
# **Question.** *How does Meta-SGD differ from MAML?* Inner and outer loop are the same, but
# $\alpha$ is learned and has as many numbers as $\theta$. So there are twice as many numbers to
# learn, and one step achieves more.
#
# ## 7.4 Building Meta-SGD from scratch
#
# The book draws its rates from $N(0, 1)$ (this section stands before 7.3 in the book).
#
# **As printed, it fails.** Half of such rates are negative, so before any training it is a matter
# of chance whether the inner step goes up or down (E7.2). Here is the book's layer,
# $\mathrm{sigmoid}(x \theta)$ with 50 inputs, on its own tasks of ten points, with 20 draws of
# $\theta$ and $\alpha$. (Its labels are coin flips besides, so nothing can be learned, E7.6.)

# %%
flips, _ = HyperplaneTasks(shot=10, query=1, tasks=100, seed=0, as_printed=True)(0)
support = flips["support_x"], flips["support_y"]  # [task, support, 50], [task, support]
dense = keras.layers.Dense(1, use_bias=False)
layer = keras.Sequential([keras.layers.Input((50,)), dense])
rng = np.random.default_rng(0)
for name in ("N(0, 1)", "0.05"):
    rose = []
    for _ in range(20):
        single = MetaSGD(layer, binary_cross_entropy, rate=0.05)
        dense.set_weights([rng.normal(size=[50, 1])])
        if name == "N(0, 1)":
            single.rates[0].assign(rng.normal(size=[50, 1]))
        start, end = (single.adapt(*support, steps=steps) for steps in (0, 1))
        before, after = (
            binary_cross_entropy(support[1], single.predict_with(weights, support[0]))
            for weights in (start, end)
        )
        rose.append(np.mean(after > before))
    print(f"rates {name.ljust(8)} the loss rose in {100 * np.mean(rose):.0f} % of the tasks")

# %% [markdown]
# **Question.** *Where should the rates begin?* All at one small positive number, as in the paper:
# then the first inner step is plain gradient descent, and the outer loop changes it from there.
#
# ## 7.5 Reptile
#
# Reptile trains on a task for $k$ ordinary steps and then moves $\theta$ part of the way to where
# they led:
#
# $$\theta'_i = \mathrm{SGD}^k(\theta, T_i) \qquad \theta \leftarrow \theta + \epsilon \, (\theta'_i
# - \theta)$$
#
# By hand, with $f(x) = \theta x$, $\theta = 0$, the point $(1, 2)$ and the rate 0.25: a step takes
# $0.25 \cdot 2 (\theta - 2)$ off, which halves the way to 2. Three steps give 1, 1.5 and 1.75, and
# with $\epsilon = 0.1$ the new $\theta$ is 0.175. No query set is needed, and no gradient of a
# gradient.

# %%
point = tf.constant([[[1.0]]]), tf.constant([[[2.0]]])  # [task, point, 1] each
dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
one_number = keras.Sequential([keras.layers.Input((1,)), dense])
walker = Reptile(one_number, squared_error, inner_rate=0.25, inner_steps=3)
for steps in (1, 2, 3):
    theta = float(walker.adapt(*point, steps=steps)[0][0, 0, 0])
    print(f"{steps} step(s): theta' = {theta:g}, new theta = {0.1 * theta:g}")

# %% [markdown]
# The gradient at 0 is $-4$. So one step, $k = 1$, gives $0.1 \cdot 0.25 \cdot 4 = 0.1$, which is
# gradient descent at the rate $\epsilon \alpha$: *joint training*. Whatever Reptile has of second
# derivatives, it has by several steps on different items (E7.9).
#
# With two numbers and two tasks there is a picture. A task of one point is solved by all $\theta$
# on a line. Reptile goes towards one line, then towards the other, and ends near both:

# %%
tasks = [([[[1.0, 0.4]]], [[[2.0]]]), ([[[0.4, 1.0]]], [[[2.0]]])]  # x, y; [task, point, ...]
walker = Reptile(keras.Sequential(two_numbers), squared_error, inner_rate=0.1, inner_steps=8)
theta = walker.network.trainable_variables[0]  # [dim, 1]
theta.assign([[-2.0], [1.0]])

figure, axis = plt.subplots(figsize=(4.5, 3.2), layout="constrained")
path = [theta.numpy().ravel()]
for number in range(30):
    x, y = (tf.constant(value) for value in tasks[number % 2])
    end = walker.adapt(x, y)[0][0]  # [dim, 1]
    axis.plot(*np.stack([theta, end], axis=1)[..., 0], color="0.8", label="inner loop")
    theta.assign_add(0.4 * (end - theta))  # epsilon = 0.4
    path.append(theta.numpy().ravel())
first = np.linspace(-2, 3, 2)
axis.plot(first, (2 - first) / 0.4, ":", color="0.2", label="solutions of task 1")
axis.plot(first, 2 - 0.4 * first, "--", color="0.2", label="of task 2")
axis.plot(*np.transpose(path), ".-", color="tab:brown", label="theta")
axis.set(xlabel="theta 1", ylabel="theta 2", ylim=(-0.5, 4))
legend(figure)
print("theta at the end", path[-1].round(2), "where the lines cross:", round(2 / 1.4, 2), "twice")

# %% [markdown]
# **Question.** *What does Reptile look for?* A $\theta$ that is near to the solutions of all tasks,
# in Euclidean distance, so that a few steps lead to any of them.
#
# ## 7.6 The Reptile algorithm
#
# With $n$ tasks at once it moves by the *mean* over them (printed without, E7.8). The inner loop
# takes *minibatches*: the support set is shuffled, used up and shuffled again.

# %%
print(minibatches(items=6, size=3, steps=3, seed=(0, 0)).numpy())  # [step, item], places of items


def reptile_step(learner, tasks):
    # epsilon falls to zero, so that theta comes to rest
    epsilon = keras.optimizers.schedules.PolynomialDecay(0.1, STEPS, end_learning_rate=0.0)
    optimizer = keras.optimizers.SGD(epsilon)
    theta = learner.trainable_variables
    optimizer.build(theta)

    @tf.function(jit_compile=True)
    def step(index):
        inputs, _ = tasks(index)  # the queries are not needed
        x, y = inputs["support_x"], inputs["support_y"]
        seed = tf.stack([0, index])  # of the minibatches
        ends = learner.adapt(x, y, learner.inner_steps, learner.inner_batch, seed)
        pairs = zip(theta, ends, strict=True)
        # theta - theta'_i in place of a gradient: list of [task, ...], then the mean
        moved = [tf.reduce_mean(start - end, axis=0) for start, end in pairs]
        optimizer.apply_gradients(zip(moved, theta, strict=True))
        return tf.reduce_mean(learner.objective(y, learner.predict_with(ends, x)))

    return step


# %% [markdown]
# **Question.** *How does Reptile differ from MAML?* MAML asks how the loss *after* the inner loop
# depends on $\theta$, and differentiates through all of its steps. Reptile only looks where the
# inner loop ends, so it costs as little as ordinary training, for any number of steps.
#
# ## 7.7 Sine curves with Reptile
#
# The book has 50 points of each curve, on a grid of 100 from -5 to 5, and a network of 64 tanh
# units whose *output* is a tanh as well.
#
# **As printed, it fails.** A tanh cannot exceed 1, and curves reach 5 (E7.10). However long it is
# trained on a single curve of amplitude 5, its error stays large; with a linear output it does
# not:

# %%
tall = SineTasks(shot=50, query=1, seed=0, amplitude=(5.0, 5.0), grid=100)
given, _ = tall(0)
for name in ("tanh", "linear"):
    network = keras.Sequential(
        [
            keras.layers.Input((1,)),
            keras.layers.Dense(64, "tanh"),
            keras.layers.Dense(1, name),
        ]
    )
    fitter = Reptile(network, squared_error, 0.01, inner_steps=1, inner_optimizer="adam")
    fit = tf.function(fitter.adapt, jit_compile=True)
    ends = fit(given["support_x"], given["support_y"], steps=10000)
    prediction = fitter.predict_with(ends, given["support_x"])  # [task, support, 1]
    error = float(squared_error(given["support_y"], prediction)[0])
    print(f"{name.ljust(7)} error {error:.3f}, largest output {np.abs(prediction).max():.2f}")

# %% [markdown]
# Mended, and with the settings of Reptile's authors: a linear output, two layers of 64 tanh units,
# five inner steps at the rate 0.02 on ten points each, phases of the whole circle.

# %%
whole = {"phase": (0.0, 2 * math.pi), "grid": 100}
circle = SineTasks(shot=50, query=50, tasks=5, seed=1, **whole)


def new_reptile(inner_steps, inner_batch):
    network = mlp(1, 1, hidden=(64, 64), activation="tanh")
    draw_as_pytorch(network, biases=True)  # first weights as the authors have them
    return Reptile(network, squared_error, 0.02, inner_steps, inner_batch, test_batch=0)


reptile = new_reptile(inner_steps=5, inner_batch=10)
train("Reptile", reptile_step(reptile, circle))

# %% [markdown]
# Its loss is that of the points it was just trained on, so it says little. What counts are curves
# that it has never seen, ten points of each, and the error on 40 others:

# %%
new_circle = SineTasks(shot=10, query=40, tasks=100, seed=2, **whole)
untrained = new_reptile(inner_steps=5, inner_batch=10)


def errors(learner):
    means = [error_after(learner, new_circle, steps, EPISODES)().mean for steps in (0, 1, 5, 32)]
    return "".join(f"{mean:8.2f}" for mean in means)


print("steps".ljust(10) + "".join(f"{steps:8}" for steps in (0, 1, 5, 32)))
for name, network in {"untrained": untrained, "Reptile": reptile}.items():
    print(name.ljust(10) + errors(network))

drawn = SineTasks(shot=10, query=1, tasks=2, seed=3, **whole)
figure = fits({"Reptile": reptile, "untrained": untrained}, drawn, shown=[0, 5, 32])

# %% [markdown]
# Before adapting it is no better than an untrained network. The steps make the difference: five of
# them from Reptile's weights do more than 32 from untrained ones.
#
# **Question.** *Why is the loss that the book prints here of no use?* It is the loss of the last
# task *before* adapting (E7.15). It mostly tells how tall that curve was: predicting 0 costs about
# $A^2 / 2$, which is between 0.005 and 12.5.
#
# ## Exercise
#
# Is it really the number of inner steps that matters? Train Reptile with one inner step on all 50
# points, which is joint training, and compare.
#
# <details>
# <summary>Solution</summary>
#
# ```python
# single = new_reptile(inner_steps=1, inner_batch=50)
# train("one inner step", reptile_step(single, circle))
# for name, network in {"one step": single, "Reptile": reptile}.items():
#     print(name.ljust(10) + errors(network))
# ```
#
# It is. After 32 steps on a new curve the network of one inner step is as far from it as an
# untrained one, and its loss hardly falls. It has learned what all curves have in common, and with
# phases of the whole circle that is nothing: their mean is 0.
#
# </details>
#
# ## Go on
#
# `python -m chapters.ch07_meta_sgd_reptile.train_sine` is this lesson as a script with tests and a
# run folder: Meta-SGD, and with `--preset reptile` Reptile at its full length. `train_omniglot` has
# both on characters. The [page of the chapter](README.md) has all settings, and the results are
# [on another](RESULTS.md). Section 7.3, Meta-SGD for reinforcement learning, is `train_acting`: the
# rates of a policy's inner step are learned, and the second trajectories are those of the *adapted*
# policy, which the book does not say (E7.7).
