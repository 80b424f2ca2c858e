# %% [markdown]
# # Lesson 9: the frontier
#
# Sections 9.1 to 9.7 of the book, which has them in words only: meta-learning that favours no task,
# imitation of what is shown once, tasks without labels, and concepts. Each in a few cells, with
# small data. Ten minutes to read, two to run; nothing is downloaded.

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
import dataclasses

import keras
import numpy as np
import tensorflow as tf
from sklearn.tree import DecisionTreeClassifier

import datasets
from chapters.ch09_frontiers import unlabelled_pictures, visuomotor
from chapters.ch09_frontiers.clustering import pictures_at
from chapters.ch09_frontiers.concepts import (
    ConceptLearner,
    Discriminator,
    external_loss,
    few_shot_loss,
)
from chapters.ch09_frontiers.embeddings import Embedding
from chapters.ch09_frontiers.encoder import get_embeddings
from chapters.ch09_frontiers.imitation import MetaImitation
from chapters.ch09_frontiers.inequality import entropy, gini, theil, variance_of_logarithms
from chapters.ch09_frontiers.losses import squared_error
from chapters.ch09_frontiers.maml import MAML
from chapters.ch09_frontiers.models import PrototypicalNetwork, negative_log_likelihood
from chapters.ch09_frontiers.networks import mlp
from chapters.ch09_frontiers.taml import before
from chapters.engine.evaluation import Evaluator, interval95
from chapters.engine.figures import plt
from chapters.experiments.sine.testing import error_after
from datasets.tasks import draws
from datasets.tasks.demonstrations import Demonstrations
from datasets.tasks.episodes import EpisodeSampler
from datasets.tasks.minibatches import Minibatches
from datasets.tasks.pairs import items_of_split
from datasets.tasks.partitions import ClusterTasks, cluster_sizes, partitions
from datasets.tasks.sinusoid import SineTasks
from datasets.worlds import Reacher
from datasets.worlds.world import World

# %matplotlib inline

# %% [markdown]
# ## 9.1 Task-agnostic meta-learning
#
# First weights $\theta$ that MAML has learned may be better at some tasks than at others before
# any inner step. *Task-agnostic* meta-learning, TAML, wants none to be favoured. It has two ways
# to say so.
#
# *Entropy* is for classes: before the inner steps the predictions $\hat y$ of $N$ classes should
# be undecided, after them decided, $H = -\sum_n \hat y_n \log \hat y_n$.
#
# *Inequality* is for any loss: the losses $l_i$ of the $M$ tasks of a batch should be alike,
# as measured by what economists measure incomes with. For $l = (0.5, 1, 2, 4)$ *Gini's coefficient*
# can be computed by hand. The six pairs differ by 0.5, 1.5, 3.5, 1, 3 and 2, which is 11.5, and
# every pair counts twice:
#
# $$G = \frac{\sum_i \sum_j |l_i - l_j|}{2 M \sum_i l_i} = \frac{23}{2 \cdot 4 \cdot 7.5} = 0.383$$

# %%
loss = tf.constant([0.5, 1.0, 2.0, 4.0])  # [task]
for measure in (gini, theil, variance_of_logarithms):
    values = [measure(one) for one in (loss, 10 * loss, tf.ones(4))]
    print(measure.__name__.ljust(24), *(f"{value:.3f}" for value in values))

undecided, decided = [[[0.0, 0.0]]], [[[5.0, 0.0]]]  # logits [task, item, way]
for logits in (undecided, decided):
    print(f"entropy {entropy(tf.constant(logits))[0]:.3f}", end=" ")
print(f"(ln 2 = {np.log(2):.3f})")

# %% [markdown]
# All three are 0 for equal losses and the same for losses ten times as large.
#
# **As printed, it fails.** In *Theil's index*, $T = \frac{1}{M} \sum_i \frac{l_i}{\bar l} \ln
# \frac{l_i}{\bar l}$, the book has lost the bar of the mean $\bar l$ (E9.2). Every loss is then
# divided by itself:

# %%
for name, divisor in {"printed": loss, "mended": tf.reduce_mean(loss)}.items():
    share = loss / divisor
    print(f"Theil, {name}: {tf.reduce_mean(share * tf.math.log(share)):.5f}")

# %% [markdown]
# **Question.** *What is task-agnostic meta-learning for?* It keeps first weights from being
# partial to some tasks, so that a new task, unlike those, finds them no further away.
#
# ## 9.2 The algorithm
#
# The inner step is MAML's ([lesson 6](../ch06_maml/lesson.ipynb)). The outer step adds the term,
# with a weight $\lambda$. In the paper the inequality is that of the losses *before* the inner
# steps (the book takes those after, E9.4):
#
# $$\theta \leftarrow \theta - \beta \nabla_\theta \left\{ E_i L_{T_i}(f_{\theta'_i}) + \lambda \,
# I(\{L_{T_i}(f_\theta)\}_i) \right\}$$

# %%
STEPS, EPISODES = 1500, 300  # of trainings on numbers, and tasks of their tests
curves = SineTasks(shot=10, query=10, tasks=10, seed=1)  # y = A sin(x + b)
inputs, query_y = curves(0)
for name, value in {**inputs, "query_y": query_y}.items():
    print(f"{name.ljust(10)}{value.shape}")  # [task, point, 1]


def outer_step(learner, weight):
    optimizer = keras.optimizers.Adam(0.001)
    optimizer.build(learner.trainable_variables)

    @tf.function(jit_compile=True)  # one compiled program, which is faster
    def step(index):
        inputs, query_y = curves(index)
        theta = learner.trainable_variables
        with tf.GradientTape() as tape:
            after = squared_error(query_y, learner(inputs, training=True))  # [task]
            initial = squared_error(query_y, before(learner, inputs))  # [task]
            loss = tf.reduce_mean(after) + weight * theil(initial)
        gradients = tape.gradient(loss, theta)
        optimizer.apply_gradients(zip(gradients, theta, strict=True))

    return step


# %% [markdown]
# Both from the same first weights, on the same curves; the test is on curves never seen.

# %%
new_curves = SineTasks(shot=10, query=40, tasks=100, seed=2)
for weight in (0.0, 1.0):
    keras.utils.set_random_seed(0)
    learner = MAML(mlp(1, 1), squared_error, inner_rate=0.01)
    untrained = error_after(learner, new_curves, 1, EPISODES)().mean
    step = outer_step(learner, weight)
    for number in range(STEPS):
        step(tf.constant(number))
    initial, after = (error_after(learner, new_curves, k, EPISODES).values() for k in (0, 1))
    print(f"lambda {weight:g}: error after one step {untrained:.2f}, trained {after.mean():.2f}")
    print(f"          before it {initial.mean():.2f}, Gini's coefficient {gini(initial):.3f}")

# %% [markdown]
# With the term, the losses before the inner step are a little more equal, as asked. Whether the
# error after it gains, one pair of trainings cannot tell. Over five pairs, and for five measures,
# it did not: see the [results](RESULTS.md#task-agnostic-meta-learning).
#
# **Question.** *How do the two ways differ?* Entropy needs predicted classes and looks at each
# task alone. Inequality takes any loss, and compares the tasks of a batch.
#
# ## 9.3 Meta-imitation learning
#
# A *demonstration* is what an expert has seen and done, $\tau = (o_1, a_1, \dots, o_T, a_T)$.
# *Meta-imitation* is MAML for demonstrations: after one gradient step on one demonstration the
# policy should do the same from another beginning. The chapter's arm is shown which of two
# coloured targets to touch:

# %%
reacher = Reacher()
shown = Demonstrations(reacher, shot=1, query=1, tasks=1, seed=0)
inputs, query_y = shown(0)
for name, value in {**inputs, "query_y": query_y}.items():
    print(f"{name.ljust(10)}{value.shape}")  # [task, time, observation or action]

task, states = shown.shown(0)
pictures = reacher.picture(task, states, 64)[0]  # [time, side, side, 3]
figure, axes = plt.subplots(1, 5, figsize=(7, 1.7), layout="constrained")
for axis, time in zip(axes, (0, 6, 12, 18, 24), strict=True):
    axis.imshow(pictures[time])
    axis.set(title=f"o {time + 1}", xticks=[], yticks=[])

# %% [markdown]
# Both loops *clone behaviour*: the loss is the squared error of the actions,
#
# $$L_{T_i}(f_\theta) = \sum_t \| f_\theta(o_t) - a_t \|^2$$
#
# No reward is used, and so no policy gradient (which the book says, E9.6).
#
# **Question.** *What are support set and queries here?* One demonstration of a task is the support
# set, another demonstration of the same task are the queries.
#
# ## 9.4 The algorithm
#
# The arm takes longer than a lesson. This world takes seconds: a point in the plane is sent to a
# goal that it *cannot see*. What it sees is where it is. Only a demonstration tells the goal.


# %%
class Walk(World):
    name, observation, actions = "walk", 2, 2

    def tasks(self, count, seed):
        return 2 * draws.uniform([count, 2], seed) - 1  # goals [task, 2]

    def start(self, task, trajectories, seed):
        place = 2 * draws.uniform([task.shape[0], trajectories, 2], seed) - 1
        return place, tf.broadcast_to(task[:, None], place.shape)  # [task, trajectory, 2] each

    def observe(self, task, state):
        return state[0]  # the place, not the goal

    def expert(self, state):
        place, goal = state
        return 0.3 * (goal - place)

    def step(self, task, state, action, seed):
        place, goal = state
        return (place + action, goal), None, None  # no reward


world = Walk(horizon=10)
walks = Demonstrations(world, shot=1, query=5, tasks=20, seed=1)
eyes = visuomotor.make_eyes(side=0, observation=2, filters=0)  # numbers as they are
control = visuomotor.make_control(2 + 10, [64, 64])  # the place, and the vector z
head, judge = (visuomotor.make_head(64, actions=2) for _ in range(2))
policy = MetaImitation(eyes, control, head, world.horizon, judge, bias=10, learn_rates=True)

inputs, query_y = walks(0)
adapted = policy.adapt(inputs["support_x"], inputs["support_y"])  # list of [task, ...]
print("demonstrations", inputs["support_x"].shape, "adapted", [tuple(w.shape) for w in adapted[:2]])
print("actions", policy.predict_with(adapted, inputs["query_x"]).shape)  # [task, query, 2]

# %% [markdown]
# Inner step: $\theta' = \theta - \alpha \nabla L(f_\theta; \tau)$ on one demonstration. The policy
# has a vector $z$ beside its input, which is adapted like a weight, and a second head of actions
# for the inner loss; every weight has a learned rate. Outer step, on other demonstrations $\tau'$:

# %%
optimizer = keras.optimizers.Adam(0.002)
optimizer.build(policy.trainable_variables)


@tf.function(jit_compile=True)
def imitation_step(index):
    inputs, query_y = walks(index)
    with tf.GradientTape() as tape:
        action = policy(inputs, training=True)  # adapts; [task, query, action]
        loss = tf.reduce_mean(squared_error(query_y, action))
    gradients = tape.gradient(loss, policy.trainable_variables)
    optimizer.apply_gradients(zip(gradients, policy.trainable_variables, strict=True))
    return loss


losses = [float(imitation_step(tf.constant(number))) for number in range(STEPS)]
tenth = max(1, STEPS // 10)
print(f"mean loss of the first {tenth} steps {np.mean(losses[:tenth]):.4f}, ", end="")
print(f"of the last {tenth} {np.mean(losses[-tenth:]):.4f}")

# %% [markdown]
# **Something new**: goals that were never shown. The policy sees one demonstration, and walks from
# five other beginnings.

# %%
new_goals = Demonstrations(world, tasks=100, seed=2)
goals, (inputs, _) = new_goals.task(0), new_goals(0)
shown_once = policy.adapt(inputs["support_x"], inputs["support_y"])
walked = {}
for name, weights in {"without": policy.start(new_goals.tasks), "with": shown_once}.items():
    state, path = world.start(goals, 5, seed=(3, 0)), []
    for _ in range(world.horizon):
        path.append(state[0])
        action = policy.predict_with(weights, world.observe(goals, state))
        state, _, _ = world.step(goals, state, action, seed=None)
    walked[name] = np.stack([*path, state[0]])  # [time, task, trajectory, 2]
    far = np.linalg.norm(walked[name][-1] - goals[:, None], axis=-1)  # [task, trajectory]
    print(f"{name.ljust(7)} a demonstration: {far.mean():.2f} from the goal in the end")

figure, axes = plt.subplots(1, 3, figsize=(7, 2.4), layout="constrained")
for number, axis in enumerate(axes):
    axis.plot(*inputs["support_x"][number].numpy().T, "--", color="0.5", label="demonstration")
    for path in np.moveaxis(walked["with"][:, number], 1, 0):  # [time, 2] each
        axis.plot(*path.T, ".-", color="mediumpurple", markersize=3)
    axis.plot(*goals[number], "*", color="0.1", markersize=12)
    axis.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), xticks=[], yticks=[], title=f"goal {number + 1}")

# %% [markdown]
# Dashed is the demonstration, the star is the goal.
#
# **Question.** *How does meta-imitation differ from behaviour cloning?* Cloning learns one policy
# from many demonstrations. Meta-imitation learns weights from which *one* demonstration makes a
# policy, for a task that was never shown before.
#
# ## 9.5 CACTUs
#
# Meta-learning needs tasks, and tasks need labels. CACTUs makes tasks of pictures *without* labels:
# embed the pictures, cluster the embeddings with k-means, and let the clusters stand for classes.
# One clustering would fix what is alike, so there are several *partitions*, each of embeddings $z$
# whose dimensions were scaled at random by a matrix $A_p$:
#
# $$\{C_c\}^p = \arg\min \sum_c \sum_{z \in C_c} \| z - \mu_c \|^2_{A_p}, \quad p = 1 \dots P$$
#
# The pictures are small signs, and the embedding here is their 32 principal components.

# %%
signs = datasets.load("painted_signs")
where = items_of_split(signs, "train")
x = pictures_at(signs, where)  # [item, height, width, channel]
z = Embedding(x, dim=32).of_all(x)  # [item, dim]
CLUSTERS = 60
found = partitions(z, CLUSTERS, count=6)  # [partition, item]
print("pictures", x.shape, "embeddings", z.shape, "partitions", found.shape)

label = signs.item_class[where]  # looked at here only, to see what clusters are worth
same = [label[found[0] == k][:, None] == label[found[0] == k] for k in range(CLUSTERS)]
print(f"two of a cluster are of one class: {np.mean([pair.mean() for pair in same]):.2f}")
print(f"two of all pictures are:           {np.mean(label[:, None] == label):.2f}")

# %% [markdown]
# (Each picture is counted as a pair with itself, too.)
#
# **Question.** *Why not use the clusters as labels of one big classification?* They are often
# wrong, and the new task has other classes anyway. A learner that must find the clusters of *many*
# partitions from one example each learns what is alike in general.
#
# ## 9.6 Task generation with CACTUs
#
# For a task: pick a partition, pick $n$ clusters, draw $r = K + Q$ members of each without
# replacement, $K$ for the support set and $Q$ as queries, and number the clusters in random order.
#
# **As printed, it fails.** The book draws from any cluster (E9.9). Some are too small:

# %%
members = np.flatnonzero(found[0] == cluster_sizes(found)[0].argmin())
try:
    np.random.default_rng(0).choice(members, size=4, replace=False)
except ValueError as error:
    print(f"a cluster of {len(members)}: {error}")
tasks = ClusterTasks(signs, where, found, way=10, shot=1, query=3, seed=1)
print(f"clusters of 4 or more, which tasks are made of: {100 * tasks.kept:.0f} %")
figure = unlabelled_pictures.task(tasks.episode(0), ink=False)

# %% [markdown]
# The clusters share outline and colour more than the sign inside, which is what a class is.
#
# Any few-shot learner can be trained on such tasks. Here it is a prototypical network ([lesson
# 3](../ch03_prototypical/lesson.ipynb)), with a small encoder. The test has true classes of which
# no picture was in the training, and `raw pixels` compares pictures without any network.

# %%
PICTURE_STEPS = max(2, STEPS // 8)  # steps on pictures take longer
tests = EpisodeSampler(signs, "test", way=5, shot=1, query=5, seed=2)


def new_encoder():
    keras.utils.set_random_seed(0)
    return get_embeddings(signs.image_shape, h_dim=32, z_dim=32, momentum=0.9)


def report(name, learner):
    right = Evaluator(learner, tests, episodes=EPISODES).values()
    print(f"{name.ljust(24)}{100 * right.mean():.1f} ± {100 * interval95(right):.1f} %")


without_labels = PrototypicalNetwork(new_encoder())
pixels = keras.Sequential([keras.layers.Input(signs.image_shape), keras.layers.Flatten()])
report("untrained", without_labels)
report("raw pixels", PrototypicalNetwork(pixels))

optimizer = keras.optimizers.Adam(0.001)
optimizer.build(without_labels.trainable_variables)


@tf.function
def cluster_step(index):
    inputs, query_y = tasks(index)
    with tf.GradientTape() as tape:
        logits = without_labels(inputs, training=True)  # [task, query, way]
        loss = negative_log_likelihood(query_y, logits)
    gradients = tape.gradient(loss, without_labels.trainable_variables)
    optimizer.apply_gradients(zip(gradients, without_labels.trainable_variables, strict=True))
    return loss


losses = [float(cluster_step(tf.constant(number))) for number in range(PICTURE_STEPS)]
print(f"loss of the first 20 steps {np.mean(losses[:20]):.2f}, ", end="")
print(f"of the last 20 {np.mean(losses[-20:]):.2f}")
report("trained on clusters", without_labels)

# %% [markdown]
# The network has learned to find the clusters, and tells new classes apart better than without
# training. Raw pixels do about as well, and the clusters were made of nothing else. What a longer
# training and a learned embedding achieve is on the [page](UNLABELLED.md).
#
# **Question.** *Where do labels come in at all?* In the test only: somebody shows one picture of
# each of five classes, and the network sorts the others.
#
# ## 9.7 Learning to learn in the concept space
#
# A few pictures of new classes say little about what is worth seeing. *Deep meta-learning*, DEML,
# lets an external labelled set help. A *concept generator* $G$ turns pictures into concepts; a
# *meta-learner* $M$ solves few-shot tasks on concepts; a *discriminator* $D$ names the classes of
# the external set by their concepts. All three are trained at once:
#
# $$J = L_T(\theta_M, \theta_G) + \lambda \, L_{(x, y)}(\theta_D, \theta_G)$$
#
# Half of the training classes make the tasks, the other half is the external set.

# %%
classes = signs.classes("train")
halves = {"train": classes[::2], "external": classes[1::2]}
data = dataclasses.replace(signs, splits={**signs.splits, **halves})
episodes = EpisodeSampler(data, "train", way=10, shot=1, query=3, seed=1)
external = Minibatches(data, "external", batch=64, seed=1)


def new_pair():
    generator = new_encoder()
    dim = generator.output_shape[1:]  # of a concept vector
    nothing = keras.Sequential([keras.layers.Input(dim), keras.layers.Identity()])
    concepts = ConceptLearner(generator, PrototypicalNetwork(nothing))  # M: means of concepts
    return concepts, Discriminator(generator, external.classes)


concepts, discriminator = new_pair()
(inputs, query_y), (x, y) = episodes(0), external(0)
print("concepts", concepts.generator(x).shape)  # [item, dim]
print("external classes", discriminator(x).shape)  # [item, class]
print("few-shot logits", concepts(inputs).shape)  # [task, query, way]

# %% [markdown]
# **As suggested, it fails.** The book proposes a decision tree as discriminator (E9.10). A tree has
# no derivative, so $G$ learns nothing from it. A linear layer passes a gradient on:

# %%
generator = concepts.generator
tree = DecisionTreeClassifier(random_state=0).fit(generator(x).numpy(), y)
with tf.GradientTape(persistent=True) as tape:
    named = tf.constant(tree.predict_proba(generator(x).numpy()), tf.float32)  # [item, class]
    by_tree = -tf.reduce_mean(tf.math.log(tf.reduce_max(named, axis=-1)))
    by_layer, _ = external_loss(discriminator, x, y)
for name, loss in {"decision tree": by_tree, "linear layer": by_layer}.items():
    gradients = tape.gradient(loss, generator.trainable_variables)
    reached = [gradient for gradient in gradients if gradient is not None]
    print(f"{name.ljust(14)} gradients of G: {len(reached)} of {len(gradients)} weights")

# %% [markdown]
# The joint step, with $\lambda = 1$, and with $\lambda = 0$ for comparison:


# %%
def joint_step(concepts, discriminator, weight):
    variables = list(concepts.trainable_variables)  # of G; prototypes have none
    variables += discriminator.head.trainable_variables if weight else []
    optimizer = keras.optimizers.Adam(0.001)
    optimizer.build(variables)

    @tf.function
    def step(index):
        (inputs, query_y), (x, y) = episodes(index), external(index)
        with tf.GradientTape() as tape:
            loss, _ = few_shot_loss(concepts, inputs, query_y)
            named, right = external_loss(discriminator, x, y)
            total = loss + weight * named
        gradients = tape.gradient(total, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss, right

    return step


for weight in (0.0, 1.0):
    concepts, discriminator = new_pair()
    step = joint_step(concepts, discriminator, weight)
    course = np.array([step(tf.constant(number)) for number in range(PICTURE_STEPS // 2)])
    loss, right = course[-20:].mean(axis=0)
    print(f"lambda {weight:g}: few-shot loss {loss:.2f}, ", end="")
    print(f"{100 * right:.0f} % of the external pictures named right")
    report("  new classes", concepts)

# %% [markdown]
# With $\lambda = 1$ the generator has learned to name external classes too, and does a little
# better on new classes. But then it has seen 64 more pictures in every step. The
# [page](CONCEPTS.md) compares networks that have seen equally many.
#
# **Question.** *What can the meta-learner be?* Any learner of vectors: prototypes as here, MAML,
# Meta-SGD, Reptile, matching networks. It sees concepts instead of pixels.
#
# ## Exercise
#
# In 9.6 the clusters stand for labels. What are true labels worth? Train the same network on
# `EpisodeSampler(signs, "train", way=10, shot=1, query=3, seed=1)` for as many steps.
#
# <details>
# <summary>Solution</summary>
#
# ```python
# with_labels = PrototypicalNetwork(new_encoder())
# labelled = EpisodeSampler(signs, "train", way=10, shot=1, query=3, seed=1)
# optimizer = keras.optimizers.Adam(0.001)
# optimizer.build(with_labels.trainable_variables)
# for number in range(PICTURE_STEPS):
#     inputs, query_y = labelled(number)
#     with tf.GradientTape() as tape:
#         loss = negative_log_likelihood(query_y, with_labels(inputs, training=True))
#     gradients = tape.gradient(loss, with_labels.trainable_variables)
#     optimizer.apply_gradients(zip(gradients, with_labels.trainable_variables, strict=True))
# report("trained with labels", with_labels)
# ```
#
# Some points more than with clusters: most pairs within a cluster are of different classes, so the
# clusters often call different things alike. But the labels of 72 classes had to be given first.
#
# </details>
#
# ## Go on
#
# The [page of the chapter](README.md) leads to one page for each system: [TAML](TAML.md), on
# characters and with all measures; [meta-imitation](IMITATION.md), an arm that sees pictures, and
# one that watches another arm; [learning without labels](UNLABELLED.md), also from a folder of your
# own pictures; [concepts](CONCEPTS.md). Each has a script that needs no download.
