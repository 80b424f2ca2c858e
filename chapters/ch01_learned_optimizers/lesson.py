# %% [markdown]
# # Lesson 1: one episode, and learning the optimizer
#
# Sections 1.1 to 1.5 of the book. The words of the whole project on one episode, and two systems
# that learn how to take a step: an LSTM that optimizes, and one whose state is a network. A step of
# each is checked by hand, both are trained for a short time, and both are tested on what they have
# never seen. Ten minutes to read, two to run; nothing is downloaded.

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

import datasets
from chapters.ch01_learned_optimizers import gate_plots, plots
from chapters.ch01_learned_optimizers.hand_made import RULES, sgd
from chapters.ch01_learned_optimizers.learned import LSTMRule
from chapters.ch01_learned_optimizers.losses import cross_entropy
from chapters.ch01_learned_optimizers.meta_lstm import MetaLSTM, UpdateCell
from chapters.ch01_learned_optimizers.networks import conv4
from chapters.ch01_learned_optimizers.problems import Quadratics
from chapters.ch01_learned_optimizers.search import logarithm, tune
from chapters.ch01_learned_optimizers.testing import Found, Test, losses_of
from chapters.ch01_learned_optimizers.tour import few_steps, nearest_mean
from chapters.ch01_learned_optimizers.unroll import advance, begin, meta_loss, trajectory
from chapters.engine.evaluation import Evaluator, interval95
from chapters.experiments.images import pictures
from datasets.tasks.episodes import EpisodeSampler

# %matplotlib inline

# %% [markdown]
# ## 1.1 Meta learning
#
# Ordinary learning solves one problem from many examples. *Meta learning* learns from many small
# problems how to solve the next one from few examples. Such a problem is called a *task*.
#
# **Question.** *What is meta learning?* Learning to learn: what is gained from many tasks makes a
# new one easier.
#
# ## 1.2 Few-shot learning and an episode
#
# A task as it is drawn for training or test is an *episode*. It has `n_way` classes. Of each,
# `k_shot` examples come with their label, together the *support set*, and `n_query` others are to
# be classified, the *query set*. The characters here are generated.

# %%
n_way, k_shot, n_query = 5, 1, 3
data = datasets.load("strokes")
sampler = EpisodeSampler(data, "test", way=n_way, shot=k_shot, query=n_query, seed=0)
episode = sampler.episode(0)
for name in ("support_x", "support_y", "query_x", "query_y"):
    print(f"{name.ljust(10)}{getattr(episode, name).shape}")  # the first axis is the task

# %% [markdown]
# What is possible without having learned from other episodes? Here are two ways: each query gets
# the class whose mean picture is nearest, pixel by pixel; or a linear layer is trained on the
# support set by gradient descent.

# %%
names = [data.class_names[int(number)] for number in episode.class_ids[0]]
figure = pictures.episode(nearest_mean, episode, names, ink=True)

EPISODES = 200
tests = EpisodeSampler(data, "test", way=5, shot=1, query=5, seed=2)
for learner in (nearest_mean, few_steps):
    found = Evaluator(learner, tests, EPISODES).values()
    print(f"{learner.__name__.ljust(14)}{100 * found.mean():.1f} ± {100 * interval95(found):.1f} %")

# %% [markdown]
# Chance is 20 %.
#
# **Question.** *What do support set and query set have in common, and what not?* They have the same
# classes and no example in common. What is asked is whether the support set was enough to know
# the classes.
#
# ## 1.3 Types of meta learning
#
# Three things can be learned from many episodes: the *metric*, so that items of a class come close
# (chapters 2 to 5); the *initialisation*, from which a few gradient steps lead far (chapters 6 to
# 8); and the *optimizer*, the rule that makes steps of gradients. The third is the rest of this
# lesson.
#
# **Question.** *Which of the three is `nearest_mean`, and which `few_steps`?* The first is a
# metric, the distance of pixels. The second is an initialisation, zeros, with an optimizer,
# gradient descent. Both are made by hand.
#
# ## 1.4 Learning to learn gradient descent by gradient descent
#
# Something with numbers $\theta$ is to be optimized, the *optimizee*. Its loss is
# $f(\theta) = \lVert W \theta - y \rVert^2$. By hand, with $W = 2$ and $y = 4$: at $\theta = 0$
# the loss is 16 and the gradient $2 \cdot 2 \cdot (0 - 4) = -16$. A step of gradient descent with
# rate 0.1 leads to $\theta = 1.6$, where the loss is $(3.2 - 4)^2 = 0.64$:

# %%
one = Quadratics(problems=1, dims=1)
by_hand = {"w": tf.constant([[[2.0]]]), "y": tf.constant([[4.0]]), "start": tf.constant([[0.0]])}
losses, run = begin(sgd(0.1), one, by_hand)
print(f"loss {losses.loss[0]:.2f}, gradient {run.gradient[0, 0]:.2f}")
losses, run = advance(sgd(0.1), one, by_hand, run, steps=1)
print(f"theta {run.theta[0, 0]:.2f}, loss {losses.loss[0, 0]:.2f}")

# %% [markdown]
# **As printed, it fails.** The text takes the derivative of $f(\theta_t)$ with respect to $t$, the
# number of the step (erratum E1.1). There is no such thing to feed to an optimizer:

# %%
theta, t = tf.constant([[0.0]]), tf.constant(0.0)
with tf.GradientTape(persistent=True) as tape:
    tape.watch([theta, t])
    loss = one.loss(theta, by_hand, t)
print("with respect to t:    ", tape.gradient(loss, t))
print("with respect to theta:", tape.gradient(loss, theta).numpy())

# %% [markdown]
# Now the rule itself is a network $m$ with weights $\phi$, the *optimizer*. It gets the gradient
# and its own state $h$, and gives a step $g$:
#
# $$(g_t, h_{t+1}) = m(\nabla_t, h_t, \phi) \qquad \theta_{t+1} = \theta_t + g_t$$
#
# It is a small LSTM that sees one number of $\theta$ at a time. All numbers share its weights, and
# each has a state of its own. So it fits problems of any size:

# %%
keras.utils.set_random_seed(0)
rule = LSTMRule(units=20, depth=2, preprocessing="none", scale=1.0)
problem = Quadratics(problems=64, dims=10, seed=0)
batch = problem(0)
losses, run = begin(rule, problem, batch)
print(f"{rule.count_params():,} numbers in phi")
print("theta", run.theta.shape, "gradient", run.gradient.shape)  # [problem, coordinate]
print("state", run.state.shape)  # [problem, coordinate, memory]
step, state = rule.step(run.gradient, run.state)
print("step ", step.shape, "state", state.shape)

# %% [markdown]
# **The outer step.** Run the rule for 20 steps, add up what the losses of the optimizee were, and
# improve $\phi$ by the gradient of that sum. The book's formula has only the loss after the *last*
# step (E1.2); with the sum, every step says something. We add logarithms, in which easy and hard
# problems count alike:
#
# $$L(\phi) = \mathbb{E}_f \Bigl[ \sum_t \log f(\theta_t) \Bigr]$$

# %%
UNROLL, RUN = 20, 100  # steps that a gradient reaches back; steps on each batch of problems
STEPS = 200  # batches


@tf.function(jit_compile=True)
def outer_step(batch, run):
    with tf.GradientTape() as tape:
        losses, run = advance(rule, problem, batch, run, UNROLL)  # losses [time, problem]
        loss = meta_loss(losses.loss, "log")
    gradients = tape.gradient(loss, rule.trainable_variables)  # with respect to phi
    optimizer.apply_gradients(zip(gradients, rule.trainable_variables, strict=True))
    return loss, run


rate = keras.optimizers.schedules.CosineDecay(1e-2, STEPS * RUN // UNROLL)
optimizer = keras.optimizers.Adam(rate, global_clipnorm=1.0)
optimizer.build(rule.trainable_variables)

# %% [markdown]
# **A short training.** The problems set aside are never trained on.

# %%
aside = Quadratics(problems=200, dims=10, seed=1)


@tf.function(jit_compile=True)
def held_out(batch):
    return trajectory(rule, aside, batch, RUN)  # losses [time, problem]


for number in range(STEPS):
    batch = problem(number)
    _, run = begin(rule, problem, batch)
    for _ in range(RUN // UNROLL):
        loss, run = outer_step(batch, run)
    if (number + 1) % max(1, STEPS // 5) == 0:
        last = logarithm(held_out(aside(0))[-1]).mean()
        print(f"batch {number + 1}: log10 of the loss after {RUN} steps, set aside: {last:.2f}")

# %% [markdown]
# ### Something new
#
# Fresh problems, beside rules made by hand, each with the best of eight rates on training
# problems. What counts is the mean of log10 of the loss: -1 is a tenth, -2 a hundredth.

# %%
grid = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
fresh = Quadratics(problems=200, dims=10, seed=2)
tuned = tune(Quadratics(problems=64, dims=10, seed=0), grid, RUN)
methods = {"LSTM optimizer": rule}
methods |= {name: RULES[name](tuned[name].rate) for name in ("SGD", "momentum", "Adam")}
curves = losses_of(methods, fresh, RUN)  # method -> [time, problem]
for name, loss in curves.items():
    print(f"{name.ljust(16)}{logarithm(loss[-1]).mean():.2f}")
figure = plots.losses([Test("fresh problems", {}, RUN)], [Found(curves, tuned)])

# %% [markdown]
# A line is the mean of the logarithms, the band holds four fifths of the problems. The learned rule
# is ahead for most of the way and ends lower than Adam and far lower than gradient descent, though
# these have their best rate. Momentum ends lower still.
#
# **Question.** *Why is it called learning gradient descent by gradient descent?* There are two
# descents. The optimizee goes down $f$ with steps that the LSTM makes; the LSTM goes down $L(\phi)$
# with steps of Adam.
#
# ## 1.5 Optimization as a model for few-shot learning
#
# The state $c$ of an LSTM is kept by a *forget gate* $f$ and changed by an *input gate* $i$ times a
# candidate $\tilde c$:
#
# $$c_t = f_t \, c_{t-1} + i_t \, \tilde c_t$$
#
# Gradient descent has this form: let $c$ be the weights $\theta$ of a network, $f = 1$, $i$ the
# rate and $\tilde c = -\nabla L$.
#
# **As printed, it fails.** The book's candidate is $+\nabla L$ (E1.4), which goes uphill. Below,
# the gates of the cell are held at 1 and 0.1; the loss is $\theta^2 / 2$, whose gradient is
# $\theta$:

# %%
cell = UpdateCell(units=20)
cell.forget.kernel.assign(tf.zeros([22, 1]))
cell.input_gate.kernel.assign(tf.zeros([22, 1]))
cell.forget.bias.assign([20.0])  # sigmoid(20) is nearly 1
cell.input_gate.bias.assign([-np.log(9.0)])  # its sigmoid is 1 / (1 + 9)
for name, sign in {"printed": -1.0, "mended": 1.0}.items():
    theta, state, seen = tf.constant([1.0]), cell.start(1), [1.0]
    for _ in range(3):
        theta, state = cell(theta, sign * theta, theta**2 / 2, state)
        seen.append(float(theta[0]))
    print(name.ljust(8), np.round(seen, 3).tolist())

# %% [markdown]
# Each step of the mended cell multiplies by $1 - 0.1$, as gradient descent does. In the
# *meta-LSTM* the gates are not held. They are learned, and depend on gradient, loss, weight and
# the gates before: the rate of every weight is its own, and weights can shrink. Learned too is
# $c_0$, the weights that every task begins with (E1.7).
#
# The network is Conv-4, four convolutions. The outer step adapts it to the support set by 5 steps
# of the cell, and improves cell and $c_0$ by the loss on the queries:

# %%
keras.utils.set_random_seed(0)
network = conv4((28, 28, 1), outputs=5, filters=16)
learner = MetaLSTM(network, cross_entropy, UpdateCell(units=20), inner_steps=5)
print(f"c_0: {network.count_params():,} numbers, cell: {learner.cell.count_params():,}")

STEPS = 200
rate = keras.optimizers.schedules.CosineDecay(5e-3, STEPS)
optimizer = keras.optimizers.Adam(rate, global_clipnorm=0.25)
optimizer.build(learner.trainable_variables)


@tf.function
def outer_step(inputs, query_y):
    with tf.GradientTape() as tape:
        logits = learner(inputs, training=True)  # [task, query, way], after the inner steps
        loss = tf.reduce_mean(cross_entropy(query_y, logits))  # of theta_T (E1.6)
    gradients = tape.gradient(loss, learner.trainable_variables)  # by phi, not theta (E1.5)
    optimizer.apply_gradients(zip(gradients, learner.trainable_variables, strict=True))
    return loss


def test(name):
    found = Evaluator(learner, tests, EPISODES).values()
    print(f"{name}: {100 * found.mean():.1f} ± {100 * interval95(found):.1f} %")


test("untrained")
print(f"a loss of ln 5 = {np.log(5):.3f} is that of knowing nothing")
training = EpisodeSampler(data, "train", way=5, shot=1, query=5, tasks=2, rotations=True, seed=1)
losses = []
for step in range(STEPS):
    losses.append(outer_step(*training(step)))
    if (step + 1) % max(1, STEPS // 5) == 0:
        print(f"step {step + 1}: loss {np.mean(losses):.3f}")
        losses = []
test("characters never seen")
figure = gate_plots.gates(learner, episode.inputs, steps=5)

# %% [markdown]
# That is more than the two ways made by hand reached on the same test in section 1.2. The picture
# shows the gates on the first episode of this lesson: nearly nothing of a weight is forgotten, and
# the rate is about 0.3 at the first step and above 0.9 at the others. It is nearly the same for all
# layers. So this cell has found gradient descent again, with one careful step before large ones.
#
# **Question.** *Why can an LSTM be a learner of weights?* Its state is updated as gradient descent
# updates weights, only with gates in place of the numbers 1 and the rate. Learning the gates is
# learning an optimizer, and learning the first state is learning an initialisation.
#
# ## Exercise
#
# The learned optimizer has only seen gradients of one size. Multiply all losses by 100 ($W$ and
# $y$ by 10), which moves no minimum. What becomes of the learned rule and of Adam, with the rate
# it has?
#
# <details>
# <summary>Solution</summary>
#
# ```python
# class Larger(Quadratics):
#     def __call__(self, index):
#         batch = super().__call__(index)
#         return {**batch, "w": 10 * batch["w"], "y": 10 * batch["y"]}
#
# larger = losses_of(methods, Larger(problems=200, dims=10, seed=2), RUN)
# for name in ("LSTM optimizer", "SGD", "Adam"):
#     before, after = logarithm(curves[name][-1]), logarithm(larger[name][-1] / 100)
#     print(f"{name}: {before.mean():.2f}, losses times 100: {after.mean():.2f}")
# ```
#
# Adam stays as it is, since it divides by the size of the gradients. For gradient descent the rate
# is now a hundred times too large: it ends at the limit where losses are cut, 100 times the first
# one. The learned rule gets much worse too: it has learned what to do with gradients of one size,
# and these are others.
#
# </details>
#
# ## Go on
#
# `python -m chapters.ch01_learned_optimizers.train` and `train_meta_lstm` are this lesson as
# scripts with longer trainings. The pages tell more: [learned optimizers](LEARNED_OPTIMIZERS.md),
# with RNNprop, a rule that does not mind the size of gradients, and networks on digits; and the
# [meta-LSTM](META_LSTM.md) on Omniglot.
