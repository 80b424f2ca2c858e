# %% [markdown]
# # Lesson 4: relation and matching networks
#
# Sections 4.1 to 4.9 of the book. A network that learns how to compare, and one that looks at every
# example and takes over its label: both with every shape, with numbers that can be checked by hand,
# a training step, a short training, and characters that they have never seen. Ten minutes to read,
# two to run; nothing is downloaded.

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
from chapters.ch04_relation_matching import attention_map, score_pictures, toy
from chapters.ch04_relation_matching.context import FullContext, content_attention
from chapters.ch04_relation_matching.encoder import get_embeddings
from chapters.ch04_relation_matching.losses import score_error, squared_error
from chapters.ch04_relation_matching.matching import (
    MatchingNetwork,
    attention,
    cosine_similarity,
    log_probability,
    negative_log_likelihood,
)
from chapters.ch04_relation_matching.relation import (
    RelationNetwork,
    class_maps,
    embedding_function,
    relation_function,
    relation_logits,
)
from chapters.engine.evaluation import Evaluator, accuracy, interval95
from datasets.tasks.episodes import EpisodeSampler

# %matplotlib inline

np.set_printoptions(precision=3, suppress=True)

# %% [markdown]
# ## 4.1 Relation networks
#
# An *episode* is a small task: a *support set* with labelled examples of a few classes, and
# *queries* of the same classes to be named. One example of each of five classes is 5-way 1-shot.
# The characters are generated, and classes of the test are never trained on.

# %%
data = datasets.load("strokes")
episode = EpisodeSampler(data, "test", way=5, shot=1, query=2, seed=0).episode(0)
names = [data.class_names[int(number)] for number in episode.class_ids[0]]
for name in ("support_x", "support_y", "query_x", "query_y"):
    print(f"{name.ljust(10)}{getattr(episode, name).shape}")

# %% [markdown]
# A prototypical network compares by a distance that people chose. A *relation network* learns the
# comparison too. An *embedding function* $f_\varphi$ turns every image into a *feature map*, which
# still has rows and columns. A *relation function* $g_\phi$ gets the maps of an example and of a
# query, one behind the other ($Z$, in depth), and gives a *score* between 0 and 1:
#
# $$r_{ij} = g_\phi(Z(f_\varphi(x_i), f_\varphi(x_j)))$$

# %%
keras.utils.set_random_seed(0)
embedding = embedding_function((28, 28, 1), h_dim=32, z_dim=32, momentum=0.9)
relation = relation_function(embedding.output_shape[1:], r_dim=32, momentum=0.9)
print(f"f has {embedding.count_params():,} numbers, g has {relation.count_params():,}")

support_z = embedding(episode.support_x[0])[None]  # [task, support, row, column, channel]
query_z = embedding(episode.query_x[0])[None]  # [task, query, row, column, channel]
maps = class_maps(support_z, episode.support_y, way=5)  # [task, way, row, column, channel]
print("maps of classes", maps.shape, "of queries", query_z.shape)
print("g takes", relation.input_shape[1:], "and gives", relation.output_shape[1:])
logits = relation_logits(relation, maps, query_z)  # [task, query, way]
print("logits", logits.shape, "scores", np.round(tf.sigmoid(logits)[0, 0].numpy(), 3))

# %% [markdown]
# **Question.** *Which functions does a relation network have, and what are they for?* The embedding
# function finds what is in an image. The relation function says how alike two such findings are; it
# stands where other methods have a distance.
#
# ## 4.2 to 4.4 Few examples, none, and the loss
#
# With several examples the maps of a class are added up, number by number, as in the paper. The
# sum grows with the number of examples, so a network must be tested with as many as it was trained
# with (erratum E4.1). The mean does not. Maps of one pixel, classes of two examples and of one:

# %%
z = tf.reshape(tf.constant([[1.0, 3.0, 8.0]]), [1, 3, 1, 1, 1])  # [task, support, row, column, 1]
y = tf.constant([[0, 0, 1]])  # [task, support]
for shots in ("sum", "mean"):
    print(shots.ljust(5), class_maps(z, y, way=2, shots=shots)[0, :, 0, 0, 0].numpy())

# %% [markdown]
# With no example at all (*zero-shot*) there may be a description of the class, such as words. A
# second embedding function turns it into a vector, which takes the place of the class's map.
#
# The loss compares each score with 1 for the right class and 0 for the others:
#
# $$\sum_i \sum_j (r_{ij} - 1(y_i = y_j))^2$$
#
# One query of class 0 and scores of 0.9, 0.2 and 0.4 for three classes:

# %%
scores = tf.constant([[[0.9, 0.2, 0.4]]])  # [task, query, way]
loss = squared_error(tf.constant([[0]]), tf.math.log(scores / (1 - scores)))  # of their logits
print(f"{loss:.4f}")  # (0.1^2 + 0.2^2 + 0.4^2) / 3
know_nothing = tf.math.log(tf.fill([1, 1, 3], 1 / 3) / (2 / 3))
print(f"all scores 1/3: {squared_error(tf.constant([[0]]), know_nothing):.4f}")  # 2 / 9

# %% [markdown]
# **The training step**, the same for both networks of this lesson: logits, loss, gradient, update.

# %%


def make_step(learner, objective, optimizer):
    @tf.function
    def train_step(inputs, query_y):
        with tf.GradientTape() as tape:
            logits = learner(inputs, training=True)  # [task, query, way]
            loss = objective(query_y, logits)
        gradients = tape.gradient(loss, learner.trainable_variables)
        optimizer.apply_gradients(zip(gradients, learner.trainable_variables, strict=True))
        return loss, tf.reduce_mean(accuracy(query_y, logits))

    return train_step


def train(train_step, episodes, steps):
    rows = []
    for step in range(steps):
        rows.append(train_step(*episodes(step)))
        if (step + 1) % max(1, steps // 6) == 0:
            loss, right = np.mean(rows, axis=0)  # since the last line
            print(f"step {step + 1}: loss {loss:.4f}, accuracy {100 * right:.1f} %")
            rows = []


# %% [markdown]
# **A short training** on 10-way episodes. Scores begin near 0.5. Nine of ten shall be 0, so
# somebody who knows nothing answers 0.1 everywhere, which costs
# $0.9 \cdot 0.1^2 + 0.1 \cdot 0.9^2 = 0.09$. Below that something has been learned.

# %%
STEPS, EPISODES = 300, 200  # of training, and of the test
relating = RelationNetwork(embedding, relation)
rate = keras.optimizers.schedules.CosineDecay(3e-3, STEPS)  # falls to 0
optimizer = keras.optimizers.Adam(rate, clipnorm=0.5)
ten = EpisodeSampler(data, "train", way=10, shot=1, query=4, rotations=True, seed=1)
train(make_step(relating, squared_error, optimizer), ten, STEPS)

# %% [markdown]
# ### Something new
#
# 5-way 1-shot, with characters of the test; chance is 20 %. Nothing is trained any more.

# %%
tests = EpisodeSampler(data, "test", way=5, shot=1, query=5, seed=2)


def test(name, learner):
    found = Evaluator(learner, tests, episodes=EPISODES).values()
    print(f"{name}: {100 * found.mean():.1f} ± {100 * interval95(found):.1f} %")


test("relation network", relating)
figure = score_pictures.matrix(relating, episode, names, ink=True)

# %% [markdown]
# **Question.** *Why is the loss a squared error, though this is classification?* A score says how
# alike two items are, and is fitted to 1 or 0 like a measured value. Each pair is judged by itself;
# scores of a query need not sum to 1.
#
# ## 4.5 Building relation networks: the book's toy
#
# **As printed, it fails.** The book trains a small relation network on records of random numbers
# and prints a squared error of 0.250 from the second line to the last. Both its classes are drawn
# from the same distribution (E4.2), and each "pair" is the two halves of one record, with the
# record's class as the label (E4.3). Nothing can be learned, and 0.25 is the error of always
# answering 0.5. Mended, the classes differ, a pair is two records, and the label says whether they
# are of one class:

# %%
for name, as_printed in {"printed": True, "mended": False}.items():
    pairs = toy.RecordPairs(records=1000, noise=0.05, seed=0, as_printed=as_printed, fresh=True)
    keras.utils.set_random_seed(0)
    network = toy.ToyRelation(toy.embedding_function(), toy.relation_function())
    optimizer = keras.optimizers.Adam(0.03)

    @tf.function
    def toy_step(inputs, same, network=network, optimizer=optimizer):
        with tf.GradientTape() as tape:
            loss = score_error(same, network(inputs))
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))

    for step in range(STEPS):
        toy_step(*pairs(step))
    inputs, same = pairs(1_000_000)  # records that were not drawn before
    print(f"{name}: squared error of fresh pairs {score_error(same, network(inputs)):.3f}")

# %% [markdown]
# **Question.** *How do you see that a training has learned nothing?* Work out what somebody gets
# who always gives the same answer, here 0.25, and compare. A loss that falls is not enough: it may
# only have fallen to that line.
#
# ## 4.6 Matching networks
#
# A matching network has no class maps. A query looks at *every* example, with an *attention* that
# is a softmax over the examples of the cosine between embeddings, and takes over their labels:
#
# $$a(\hat x, x_i) = \frac{e^{\cos(f(\hat x), g(x_i))}}{\sum_j e^{\cos(f(\hat x), g(x_j))}}
# \qquad p(y \mid \hat x, S) = \sum_i a(\hat x, x_i) \, y_i$$
#
# Three examples, the first two of class 0. The query points where the first example points:

# %%
g = tf.constant([[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]])  # [task, support, dim]
f = tf.constant([[[5.0, 0.0]]])  # [task, query, dim]
support_y = tf.constant([[0, 0, 1]])  # [task, support]
cosine = cosine_similarity(f, g)  # [task, query, support]
print("cosines    ", cosine[0, 0].numpy())
print("attention  ", attention(cosine)[0, 0].numpy())  # e, 1, 1/e, divided by their sum
log_p = log_probability(cosine, support_y, way=2)  # [task, query, way]
print("p(y | x, S)", tf.exp(log_p)[0, 0].numpy())  # the first two of them, and the third

# %% [markdown]
# **Question.** *What is attention here?* A share for every example, all together 1. It says how
# much each label counts for this query.
#
# ## 4.7 and 4.8 Embedding functions and architecture
#
# $f$ and $g$ may simply be one encoder. With *full context embeddings* they also look at the
# support set $S$. $g$ reads it with an LSTM in both directions and adds what it found to each
# embedding. $f$ reads it $K$ times (the *processing steps*), each time with an attention of its
# own, before the query is compared:

# %%
keras.utils.set_random_seed(0)
image_encoder = get_embeddings((28, 28, 1), h_dim=32, momentum=0.9)
support_z = image_encoder(episode.support_x[0])[None]  # [task, support, dim]
query_z = image_encoder(episode.query_x[0])[None]  # [task, query, dim]
context = FullContext(dim=64, processing_steps=5)
g, f = context(support_z, query_z)
print("g'(x)", support_z.shape, "g(x, S)", g.shape)
print("f'(x)", query_z.shape, "f(x, S)", f.shape)
weights = content_attention(f, g)  # [task, query, support]
print("attention", weights.shape, "sums to", tf.reduce_sum(weights, axis=-1)[0, :2].numpy())

# %% [markdown]
# **As printed, it fails.** The book's attention multiplies $h$ and $g$ number by number and takes
# the softmax over the *features* (E4.11). Shares of features say nothing about examples. Their sum
# over the examples is not 1; only their sum over the features is:

# %%
printed = tf.nn.softmax(f[:, :, None] * g[:, None], axis=-1)  # [task, query, support, dim]
print("over features:", tf.reduce_sum(printed, axis=-1)[0, 0].numpy())
print("over examples, first features:", tf.reduce_sum(printed, axis=2)[0, 0, :5].numpy())

# %% [markdown]
# **Question.** *What do the K processing steps do?* At each step the query's state asks the support
# set, gets back the mean of its items weighed by attention, and goes on from there. So what the
# query looks for can depend on what there is to be found.
#
# ## 4.9 Matching networks in TensorFlow
#
# **As printed, it fails.** The attention gives probabilities. The book puts them through a second
# softmax in its loss (E4.10), so that even a perfect answer costs much and training has nothing to
# gain from being sure:

# %%
perfect = tf.constant([[[1.0, 0.0, 0.0, 0.0, 0.0]]])  # [task, query, way]
label = tf.constant([[0]])
second = tf.nn.sparse_softmax_cross_entropy_with_logits(label, perfect)
print(f"printed: {second[0, 0]:.3f}")  # -ln(e / (e + 4))
print(f"mended:  {abs(negative_log_likelihood(label, tf.math.log(perfect + 1e-9))):.3f}")

# %% [markdown]
# A bare cosine has the same weakness in little: between -1 and 1 there is not much room. A *scale*
# in front of it, learned with the rest and 40 at first, gives room. A short training on 20-way
# episodes, without full context:

# %%
STEPS = 150
matching = MatchingNetwork(image_encoder, scale="learned")
twenty = EpisodeSampler(data, "train", way=20, shot=1, query=4, rotations=True, seed=1)
train_step = make_step(matching, negative_log_likelihood, keras.optimizers.Adam(1e-3))
train(train_step, twenty, STEPS)
test("matching network", matching)

# %% [markdown]
# The picture shows where each query looks: with one example of each class, attention and
# probability are the same.

# %%
figure = attention_map.draw(matching, episode, names, ink=True)

# %% [markdown]
# **Question.** *How do relation and matching networks differ?* A relation network learns the
# comparison itself and has one map for each class. A matching network has a fixed comparison, the
# cosine, learns what to compare, and keeps every example.
#
# ## Exercise
#
# Take the scale of the trained matching network away (`matching.log_scale` is its logarithm). What
# becomes of the accuracy and of the loss in 5-way 1-shot tasks, and what is the lowest loss that a
# bare cosine can have there?
#
# <details>
# <summary>Solution</summary>
#
# ```python
# inputs, query_y = EpisodeSampler(data, "test", way=5, shot=1, query=5, tasks=50, seed=2)(0)
# learned = matching.log_scale.numpy()
# for name, value in {"learned scale": learned, "bare cosine": 0.0}.items():
#     matching.log_scale.assign(value)
#     log_p = matching(inputs)
#     right = 100 * tf.reduce_mean(accuracy(query_y, log_p))
#     loss = negative_log_likelihood(query_y, log_p)
#     print(f"{name} ({np.exp(value):.1f}): accuracy {right:.1f} %, loss {loss:.3f}")
# matching.log_scale.assign(learned)
# ```
#
# The accuracy stays as it is, since a scale does not change which example is nearest. The loss
# becomes 1.469, not far from the ln 5 = 1.609 of knowing nothing. Were the cosine 1 with the right
# example and -1 with all others, the probability would be $e / (e + 4 / e) = 0.65$, and the loss
# 0.433: no embedding can do better with a bare cosine.
#
# </details>
#
# ## Go on
#
# `python -m chapters.ch04_relation_matching.train_relation` and `train_matching` are this lesson as
# scripts with tests and pictures; their presets train on Omniglot. The pages have the results:
# [relation networks](RELATION.md), [matching networks](MATCHING.md), with full context and an
# ordinary classifier beside them, and [zero-shot](ZERO_SHOT.md), where a class is known by its
# description alone.
