# %% [markdown]
# # Lesson 3: prototypical networks
#
# Sections 3.1 to 3.3 of the book. One episode, one forward pass with every shape, prototypes that
# can be checked by hand, one training step, a short training, and a task of characters that the
# network has never seen. Ten minutes to read, two to run; nothing is downloaded.

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
from chapters.ch03_prototypical import plots
from chapters.ch03_prototypical.encoder import get_embeddings
from chapters.ch03_prototypical.models import (
    PrototypicalNetwork,
    class_prototypes,
    negative_log_likelihood,
    predicted_probability,
    squared_euclidean,
)
from chapters.engine.evaluation import Evaluator, accuracy, interval95
from chapters.engine.figures import learning_curve
from chapters.experiments.images import pictures
from datasets.tasks.episodes import EpisodeSampler

# %matplotlib inline

# %% [markdown]
# ## 3.1 An episode
#
# A few-shot task is drawn like this: five *classes* (5-way), two labelled items of each, the
# *support set* (2-shot), and three other items of each to be classified, the *query set*. Classes
# are split before anything is drawn: those of the test are never trained on.
#
# The characters below are generated, with many alphabets and twenty drawers, as hard as
# Omniglot's.

# %%
data = datasets.load("strokes")
sampler = EpisodeSampler(data, "test", way=5, shot=2, query=3, seed=0)
episode = sampler.episode(0)
for name in ("support_x", "support_y", "query_x", "query_y"):
    print(f"{name.ljust(10)}{getattr(episode, name).shape}")
print("labels of the support set:", episode.support_y[0].numpy())

# %% [markdown]
# The first axis is the task; here there is one. Support and query share classes, never items.
#
# **Question.** *What is an episode for?* Training on it asks for what a test will ask for: to tell
# classes apart by a few examples. Labels 0 to 4 mean other characters in every episode, so
# learning them by heart is of no use.
#
# ## 3.2 Embedding, prototype, distance
#
# An encoder $f_\phi$ turns every image into 64 numbers, its *embedding*. The same encoder serves
# support and query.

# %%
encoder = get_embeddings(image_shape=(28, 28, 1), momentum=0.9)
print(f"{len(encoder.layers) - 1} convolution blocks, {encoder.count_params():,} numbers")

x = episode.support_x[0]
for layer in encoder.layers:
    x = layer(x)
    print(f"{layer.name.ljust(14)}{x.shape}")

# %% [markdown]
# The *prototype* of a class is the mean of the embeddings of its support items $S_k$:
#
# $$c_k = \frac{1}{|S_k|} \sum_{(x_i, y_i) \in S_k} f_\phi(x_i)$$
#
# With embeddings of two numbers it can be checked by hand. Class 0 has the items (0, 0) and (2,
# 0), class 1 has (10, 10) and (10, 14):

# %%
support_z = tf.constant([[[0.0, 0.0], [2.0, 0.0], [10.0, 10.0], [10.0, 14.0]]])
support_y = tf.constant([[0, 0, 1, 1]])  # [task, support]; above [task, support, dim]
prototypes = class_prototypes(support_z, support_y, way=2)  # [task, way, dim]
print(prototypes[0].numpy())  # (1, 0) and (10, 12)

query_z = tf.constant([[[1.0, 1.0], [9.0, 12.0]]])  # [task, query, dim]
distances = squared_euclidean(query_z, prototypes)  # [task, query, way]
print(distances[0].numpy())  # (1-1)^2 + (1-0)^2 = 1; (1-10)^2 + (1-12)^2 = 202; ...

# %% [markdown]
# **As printed, it fails.** The book divides the sum over the *whole* support set by its size
# (erratum E3.1), which gives all classes one and the same prototype, and takes the softmax over
# the distance instead of its negative (E3.3), which makes the *farthest* class the most probable:

# %%
near_0 = distances[0, 0] / 100  # divided, so that there is something to see after the exponential
print("one prototype for all:", tf.reduce_mean(support_z, axis=1)[0].numpy())
print("softmax over d: ", np.round(tf.nn.softmax(near_0).numpy(), 2), "though class 0 is near")
print("softmax over -d:", np.round(predicted_probability(-near_0).numpy(), 2))

# %% [markdown]
# **Question.** *How is a class prototype computed, and what is it for?* It is the mean embedding
# of the support items of its class; a query belongs to the class whose prototype is nearest.
#
# ## 3.3 A forward pass
#
# `PrototypicalNetwork` puts this together: images and labels in, *logits* out, the negative
# distances. Softmax over the classes gives probabilities.

# %%
learner = PrototypicalNetwork(encoder)
logits = learner(episode.inputs)  # [task, query, way]
probability = predicted_probability(logits)
print("logits", logits.shape)
print("probabilities of the first query:", np.round(probability[0, 0].numpy(), 3))
print(f"loss {negative_log_likelihood(episode.query_y, logits):.3f}; ln 5 is {np.log(5):.3f}")

# %% [markdown]
# A loss of ln 5 is that of somebody who knows nothing and gives every class a fifth.
#
# **As printed, it fails, and the print-out proves it.** The book's code has the distances the
# other way round, `[way, query]`, and takes the softmax over the *queries* (E3.5). Its first loss,
# for 60 classes with 5 queries each, is printed as 5.70378. That is ln 300, and 60 classes must
# begin at ln 60. So let six classes be perfectly apart, and see what either layout makes of them:

# %%
print(f"ln 60 = {np.log(60):.5f}, ln 300 = {np.log(300):.5f}")

way, query = 6, 5
centres = tf.eye(way)[None]  # [task, way, dim]
z = tf.repeat(centres, query, axis=1)  # [task, way * query, dim], each on its prototype
query_y = tf.repeat(tf.range(way)[None], query, axis=1)  # [task, way * query]
distances = squared_euclidean(z, centres)  # [task, way * query, way]

printed = tf.nn.log_softmax(-tf.transpose(distances, [0, 2, 1]))  # [task, way, way * query]
printed = tf.reshape(printed, [1, way * query, way])  # as the book goes on: it mixes classes
for name, logits in {"over queries": printed, "over classes": -distances}.items():
    print(f"softmax {name}: accuracy {tf.reduce_mean(accuracy(query_y, logits)):.3f}")

# %% [markdown]
# By the book's layout perfect embeddings score no better than chance, so there is nothing to
# learn.
#
# ## A training step
#
# The loss is $J(\phi) = -\log p_\phi(y = k \mid x)$, averaged over the queries. Its gradient goes
# through distance, prototypes and both uses of the encoder. Adapting to a task is averaging, so
# there is no inner loop, and this is an ordinary training step:

# %%
optimizer = keras.optimizers.Adam(1e-3)


@tf.function
def train_step(inputs, query_y):
    with tf.GradientTape() as tape:
        logits = learner(inputs, training=True)  # [task, query, way]
        loss = negative_log_likelihood(query_y, logits)
    gradients = tape.gradient(loss, learner.trainable_variables)
    optimizer.apply_gradients(zip(gradients, learner.trainable_variables, strict=True))
    return loss, tf.reduce_mean(accuracy(query_y, logits))


# %% [markdown]
# **A short training**, on 20-way 1-shot episodes: more classes than in the test make a harder
# question and a better embedding.

# %%
STEPS, EPISODES = 300, 200  # of training, and of the test at the end
training = EpisodeSampler(data, "train", way=20, shot=1, query=5, rotations=True, seed=1)
validation = EpisodeSampler(data, "val", way=20, shot=1, query=5, seed=1)
check = Evaluator(learner, validation, episodes=20)

history = []
for step in range(STEPS):
    loss, right = train_step(*training(step))
    if (step + 1) % max(1, STEPS // 10) == 0:
        held_out = check.values().mean()
        row = {"step": step + 1, "loss": loss, "accuracy": right, "val_accuracy": held_out}
        history.append({name: float(value) for name, value in row.items()})
        print(", ".join(f"{name} {value:.4g}" for name, value in history[-1].items()))

figure = learning_curve(history)

# %% [markdown]
# ## Something new
#
# The characters of the first episode belong to the test: no step has seen them. The network is
# given two examples of each and names the rest; nothing is trained any more.

# %%
names = [data.class_names[int(number)] for number in episode.class_ids[0]]
figure = pictures.episode(learner, episode, names, ink=True)

# %%
untrained = PrototypicalNetwork(get_embeddings((28, 28, 1)))
tests = EpisodeSampler(data, "test", way=5, shot=1, query=5, seed=2)
for name, network in {"untrained": untrained, "trained": learner}.items():
    found = Evaluator(network, tests, episodes=EPISODES).values()
    print(f"{name.ljust(10)}{100 * found.mean():.1f} ± {100 * interval95(found):.1f} %")

# %% [markdown]
# The map of the embeddings shows why: classes have become heaps around their prototypes.

# %%
crowd = EpisodeSampler(data, "test", way=5, shot=5, query=15, seed=3).episode(0)
figure = plots.embedding_map(learner, crowd, [data.class_names[int(k)] for k in crowd.class_ids[0]])

# %% [markdown]
# **Question.** *Why are there more classes in training than at test?* Twenty classes lie closer
# together than five; a network that tells twenty apart finds five easy. The paper trains 60-way.
#
# ## Exercise
#
# The squared Euclidean distance is a choice. What becomes of the accuracy with
# `PrototypicalNetwork(encoder, distance="cosine")`, with the encoder just trained? And why must
# the logits of a cosine be multiplied by something before the softmax, if one wants to train with
# it?
#
# <details>
# <summary>Solution</summary>
#
# ```python
# cosine = PrototypicalNetwork(learner.encoder, distance="cosine")
# found = Evaluator(cosine, tests, episodes=EPISODES).values()
# print(f"cosine: {100 * found.mean():.1f} %")
# ```
#
# It stays nearly the same: which prototype is nearest rarely changes with the distance. But a
# cosine distance is between 0 and 2, so the softmax of its negative is nearly flat: of 20 classes
# the best has a probability of at most $e^2 / (e^2 + 19) = 0.28$, and the loss cannot fall below
# 1.27. A scale in front of it, learned or fixed at 10 or so, gives it room.
#
# </details>
#
# ## Go on
#
# `python -m chapters.ch03_prototypical.train` is this lesson as a script with tests and a run
# folder; `--preset paper_1shot` trains on Omniglot as the paper does. The [page of the
# chapter](README.md) has its figures, and Gaussian, semi-supervised and zero-shot prototypes.
