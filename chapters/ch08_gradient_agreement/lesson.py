# %% [markdown]
# # Lesson 8: gradient agreement
#
# Sections 8.1 to 8.4 of the book. Tasks that pull in different directions, weights that can be
# checked by hand, an outer step written out, a short training with a worthless task in every
# batch, and what it is worth on curves never seen. Ten minutes to read, two to run; nothing is
# downloaded.

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
import keras
import numpy as np
import tensorflow as tf

from chapters.ch08_gradient_agreement import plots
from chapters.ch08_gradient_agreement.gradient_agreement import (
    GradientAgreement,
    agreement_weights,
    equal_weights,
)
from chapters.ch08_gradient_agreement.losses import squared_error
from chapters.ch08_gradient_agreement.networks import mlp
from chapters.ch08_gradient_agreement.outliers import Outliers
from chapters.engine.evaluation import interval95
from chapters.engine.figures import legend, plt
from chapters.experiments.sine.testing import error_after
from datasets.tasks.sinusoid import SineTasks

# %matplotlib inline

# %% [markdown]
# ## 8.1 Gradient agreement
#
# MAML ([lesson 6](../ch06_maml/lesson.ipynb)) and Reptile ([lesson
# 7](../ch07_meta_sgd_reptile/lesson.ipynb)) learn first weights $\theta$ for many tasks. In every
# step each task of a batch pulls $\theta$ in its own direction, and $\theta$ follows their mean.
# Gradient agreement first asks who agrees with whom. Four tasks, three of which go roughly the
# same way:

# %%
g = tf.constant([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0], [-1.0, 0.0]])  # [task, parameter]
w = agreement_weights(g)  # [task]
directions = {"mean": tf.reduce_mean(g, axis=0), "weighted sum": tf.linalg.matvec(g, w, True)}
print("weights", w.numpy().round(3))
print(*(f"{name} {value.numpy().round(3)}" for name, value in directions.items()))

figure, axis = plt.subplots(figsize=(4.5, 3.0), layout="constrained")
for number, (arrow, weight) in enumerate(zip(g.numpy(), w.numpy(), strict=True)):
    axis.annotate("", arrow, (0, 0), arrowprops={"arrowstyle": "->", "color": "0.5"})
    axis.annotate(f"task {number + 1}, w = {weight:.2f}", arrow + (0, 0.12), ha="center")
for (name, end), colour in zip(directions.items(), ("0.1", "tab:blue"), strict=True):
    axis.plot(*zip((0, 0), end.numpy(), strict=True), color=colour, linewidth=2, label=name)
axis.set(xlim=(-2, 3), ylim=(-0.4, 2.4), xlabel="parameter 1", ylabel="parameter 2")
legend(figure)

# %% [markdown]
# The fourth task gets a negative weight: $\theta$ moves *against* it.
#
# **Question.** *What is gradient agreement?* A way to weigh the tasks of a batch: a task whose
# direction agrees with those of the others counts more, one that opposes them less or negatively.
#
# ## 8.2 Weight calculation
#
# The direction of a task is what its inner loop changed, $g_i = \theta - \theta'_i$. Its weight is
#
# $$w_i = \frac{\sum_j g_i \cdot g_j}{\sum_k \left| \sum_j g_k \cdot g_j \right|}$$
#
# By hand: the sum of the four is $(2, 3)$. Its products with them are $2 \cdot 2 = 4$, $2 + 3 =
# 5$, $2 \cdot 3 = 6$ and $-2$. The absolute values add up to 17, so the weights are $4/17 = 0.235$,
# $5/17 = 0.294$, $6/17 = 0.353$ and $-2/17 = -0.118$, as printed above.
#
# **As printed, it fails, twice.** The book's code takes the absolute value of every *pair* instead
# of every sum (E8.1), so the weights no longer add up to 1. Then it sums each weighted gradient
# over its *parameters* (E8.2): a vector becomes one number, which is added to all parameters.

# %%
three = tf.constant([[1.0, 0.0], [-1.0, 0.5], [0.2, 1.0]])  # [task, parameter]
pairs = tf.matmul(three, three, transpose_b=True)  # g_i . g_j, [task, task]
printed = tf.reduce_sum(pairs, axis=1) / tf.reduce_sum(tf.abs(pairs))
for name, weights in {"printed": printed, "mended": agreement_weights(three)}.items():
    total = tf.reduce_sum(tf.abs(weights))
    print(f"{name} weights {weights.numpy().round(3)}, absolute values add up to {total:.3f}")

gradient = np.array([1.0, -2.0, 3.0])
print("printed update", np.zeros(3) + np.sum(0.5 * gradient), "mended", 0.5 * gradient)

# %% [markdown]
# **Question.** *How is the weight of a task computed, and what do the weights add up to?* By the
# inner product of its direction with the sum of all, over the sum of the absolute values of all
# these products. So the absolute values add up to 1; with perfect agreement each is $1/n$, and the
# weighted sum is the mean.
#
# ## 8.3 The algorithm
#
# The weights stand on top of another method's outer step. $w$ is a constant to the gradient.
#
# $$\text{MAML:} \; \theta \leftarrow \theta - \beta \sum_i w_i \nabla_\theta L_{T_i}(f_{\theta'_i})
# \qquad \text{Reptile:} \; \theta \leftarrow \theta + \epsilon \sum_i w_i (\theta'_i - \theta)$$
#
# MAML's form, written out. Every task has a copy of $\theta$ of its own, so that the gradients of
# tasks are kept apart until the weights are known:

# %%
STEPS, EPISODES = 3000, 500  # of each training, and curves of the test


def outer_step(learner, tasks, optimizer, weigh):
    optimizer.build(learner.trainable_variables)

    @tf.function(jit_compile=True)  # one compiled program, which is faster
    def step(index):
        inputs, query_y = tasks(index)
        theta = learner.start(inputs["support_x"])  # list of [task, ...]
        with tf.GradientTape() as tape:
            tape.watch(theta)
            adapted = learner.inner_loop(theta, inputs["support_x"], inputs["support_y"], steps=1)
            prediction = learner.predict_with(adapted, inputs["query_x"])  # [task, query, 1]
            losses = learner.objective(query_y, prediction)  # [task]
        gradients = tape.gradient(losses, theta)  # list of [task, ...]
        w = weigh(moved(theta, adapted))  # [task]
        update = [tf.tensordot(w, gradient, 1) for gradient in gradients]  # without a task axis
        optimizer.apply_gradients(zip(update, learner.trainable_variables, strict=True))
        return losses, w

    return step


def moved(theta, adapted):
    """g_i of all weights in one row: [task, parameter]."""
    pairs = zip(theta, adapted, strict=True)
    return tf.concat([tf.reshape(a - b, [a.shape[0], -1]) for a, b in pairs], axis=1)


# %% [markdown]
# A model of one number can be followed by hand: $f(x) = \theta x$ with $\theta = 0$, and four
# tasks that ask for $t_i = 4, 4, 2, -2$ at $x = 1$, of support set and queries alike.
#
# - An inner step at the rate 0.25 goes half of the way: $\theta'_i = -0.25 \cdot 2 (0 - t_i) = 0.5
#   \, t_i$. So $g = (-2, -2, -1, 1)$, and the sum is $-4$.
# - The products with the sum are 8, 8, 4 and $-4$, whose absolute values add up to 24: $w = (1/3,
#   1/3, 1/6, -1/6)$.
# - The gradient of the query loss $(\theta'_i - t_i)^2$ by $\theta$ is $2 (\theta'_i - t_i) \cdot
#   0.5 = -0.5 \, t_i = (-2, -2, -1, 1)$; the 0.5 is $d\theta'_i / d\theta$.
# - The weighted sum is $-2/3 - 2/3 - 1/6 - 1/6 = -5/3$, the mean is $-1$. With $\beta = 0.3$ the
#   new $\theta$ is 0.5 with agreement, 0.3 without.

# %%
targets = tf.constant([4.0, 4.0, 2.0, -2.0])[:, None, None]  # [task, point, 1]
ones = tf.ones_like(targets)


def four_tasks(index):
    return {"support_x": ones, "support_y": targets, "query_x": ones}, targets


for weigh in (agreement_weights, equal_weights):
    line = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    network = keras.Sequential([keras.layers.Input((1,)), line])
    tiny = GradientAgreement(network, squared_error, inner_rate=0.25)
    _, w = outer_step(tiny, four_tasks, keras.optimizers.SGD(0.3), weigh)(0)
    print(f"w = {w.numpy().round(3)}, new theta {line.kernel.numpy()[0, 0]:.3f}")

# %% [markdown]
# **Question.** *What is the use of a negative weight?* The step moves $\theta$ away from what that
# task asks for. That is good if the task is worthless, and bad if it is a proper task that happens
# to be alone.
#
# ## 8.4 Gradient agreement with MAML
#
# The book trains on two tasks at a time, of coin flips (E8.7). Two tasks cannot outvote each other
# (E8.8). Here a batch has ten curves $y = A \sin(x + b)$, and the last of them is an *outlier*:
# its targets are drawn at random from those of the whole batch. If gradient agreement does what it
# should, that task counts little.

# %%
OUTLIERS = 1
curves = Outliers(SineTasks(shot=10, query=10, tasks=10, seed=1), OUTLIERS)
inputs, query_y = curves(0)
for name, value in {**inputs, "query_y": query_y}.items():
    print(f"{name.ljust(10)}{value.shape}")  # [task, point, 1]


def new_learner():
    keras.utils.set_random_seed(0)  # the same first weights for both
    return GradientAgreement(mlp(1, 1), squared_error, inner_rate=0.01)


learner = new_learner()
support = inputs["support_x"], inputs["support_y"]
theta, adapted = learner.start(support[0]), learner.adapt(*support)  # list of [task, ...]
print("g         ", moved(theta, adapted).shape)  # [task, parameter]
print("w         ", learner.agreement(inputs).numpy().round(2), "the outlier last")
print("prediction", learner.predict_with(adapted, inputs["query_x"]).shape)  # [task, query, 1]

# %% [markdown]
# Before any training all agree, and the outlier is no exception. Now the training, with
# agreement and with equal weights, which is MAML. Both see the same curves:


# %%
def train(name, learner, weigh):
    step, history = outer_step(learner, curves, keras.optimizers.Adam(0.003), weigh), []
    losses, weights = [], []
    for number in range(STEPS):
        loss, w = step(tf.constant(number))
        losses.append(loss.numpy()[:-OUTLIERS].mean())  # of the proper tasks
        weights.append(w.numpy())
        if (number + 1) % max(1, STEPS // 10) == 0:
            since = np.array(weights[-max(1, STEPS // 10) :])  # [step, task]
            others = since[:, :-OUTLIERS]
            values = {"min": others.min(1), "max": others.max(1), "others": others}
            values["outliers"] = since[:, -OUTLIERS:]
            row = {f"weight_{name}": float(value.mean()) for name, value in values.items()}
            history.append({"step": number + 1, **row})
    tenth = max(1, STEPS // 10)
    print(f"{name}: mean loss of the first {tenth} steps {np.mean(losses[:tenth]):.2f}, ", end="")
    print(f"of the last {tenth} {np.mean(losses[-tenth:]):.2f}")
    return history


maml = new_learner()
train("MAML", maml, equal_weights)
history = train("GA-MAML", learner, agreement_weights)
figure = plots.weights_over_training(history, tasks=10, outliers=OUTLIERS)

# %% [markdown]
# The weight of the outlier is near that of the others, and far inside their spread. One reason is
# in the formula: $g_i \cdot \sum_j g_j$ contains $g_i \cdot g_i$, which rewards whoever moves far,
# and random targets move far.
#
# ## Something new
#
# Curves of another seed, none of them an outlier. Each learner gets ten points of a curve and
# takes 0, 1, 5 or 10 gradient steps on them; the error is that on 40 other points.

# %%
new_curves = SineTasks(shot=10, query=40, tasks=100, seed=2)


def errors(learner):
    means = [error_after(learner, new_curves, steps, EPISODES)().mean for steps in (0, 1, 5, 10)]
    return "".join(f"{mean:8.2f}" for mean in means)


print("steps".ljust(10) + "".join(f"{steps:8}" for steps in (0, 1, 5, 10)))
for name, network in {"untrained": new_learner(), "MAML": maml, "GA-MAML": learner}.items():
    print(name.ljust(10) + errors(network))

one_step = [error_after(one, new_curves, 1, EPISODES).values() for one in (maml, learner)]
gain = one_step[0] - one_step[1]  # [curve]
print(f"MAML minus GA-MAML after one step: {gain.mean():.2f} ± {interval95(gain):.2f}")

# %% [markdown]
# Gradient agreement has learned to adapt. But MAML with equal weights has learned it *better*, on
# the same curves with the same outlier: the difference, curve by curve, is below zero, and its 95 %
# interval does not reach zero. The weights of one more batch show a reason:

# %%
inputs, _ = curves(STEPS)
figure = plots.weights_of_batch(learner.agreement(inputs).numpy(), OUTLIERS)

# %% [markdown]
# Near a good $\theta$ the directions have little in common. Who agrees is then a matter of chance,
# and proper curves get negative weights, so that $\theta$ is moved to make them *worse*. A mean
# over ten tasks averages the outlier out without such a price.
#
# **Question.** *When should gradient agreement help, then?* When most tasks share a direction, as
# in 8.1, and a few oppose it. Here that holds for the first batch at most, where all weights were
# positive.
#
# ## Exercise
#
# Long steps are rewarded by $g_i \cdot g_i$. Divide each $g_i$ by its length, so that only
# directions count, and train again. What becomes of the weight of the outlier, and of the errors?
#
# <details>
# <summary>Solution</summary>
#
# ```python
# def directions_only(g):
#     return agreement_weights(tf.math.l2_normalize(g, axis=1))  # [task, parameter] -> [task]
#
#
# unit = new_learner()
# found = train("directions only", unit, directions_only)
# for name, rows in {"GA-MAML": history, "directions only": found}.items():
#     last = rows[-1]
#     print(f"{name}: outlier {last['weight_outliers']:.3f}, others {last['weight_others']:.3f}")
# print(errors(unit))
# ```
#
# The errors are a little smaller than before, but still above those of MAML, and the outlier counts
# nearly as much as the others. Now every product of a direction with itself is 1, for all tasks
# alike, and the nine products with the others, of both signs, decide. There is hardly a crowd that
# the outlier could be told from.
#
# </details>
#
# ## Go on
#
# `python -m chapters.ch08_gradient_agreement.train_sine` is this lesson as a script with tests and
# a run folder, ten thousand steps for each of the two; `--preset ga_reptile` has Reptile's form,
# and `train_omniglot` trains on characters. The [page of the chapter](README.md) has all settings.
# That agreement does harm on these curves holds for the long trainings too: see the
# [results](RESULTS.md).
