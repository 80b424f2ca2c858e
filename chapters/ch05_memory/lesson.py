# %% [markdown]
# # Lesson 5: memory-augmented neural networks
#
# Sections 5.1 to 5.7 of the book. A memory read and written by hand, the four steps of addressing
# with numbers, a neural Turing machine that learns to copy and copies what is longer than all it
# was trained on, and a network that remembers what it was told a moment ago. Ten minutes to read,
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

from chapters.ch05_memory import addressing, measures, plots
from chapters.ch05_memory.mann import MANNCell, least_used, read_head_addressing, update_usage
from chapters.ch05_memory.models import SequenceModel, with_previous
from chapters.ch05_memory.ntm import NTMCell
from datasets.tasks import draws
from datasets.tasks.sequences import CopyTask

# %matplotlib inline

np.set_printoptions(precision=3, suppress=True)

# %% [markdown]
# ## 5.1 A memory beside the weights
#
# The weights of a network change slowly, in training. A *neural Turing machine* has a second place
# to keep things, which it can change at every step: a memory of $N$ rows, the *slots*, of width
# $W$. A network, the *controller*, steers *heads* that read from it and write to it.
#
# A head does not choose one slot. It has a weight for every slot, none negative, with sum 1, so
# that everything has a gradient. Here is a memory of five slots of width 2, and the weights of one
# head:

# %%
memory = tf.constant([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [2.0, 2.0]]])
weight = tf.constant([[[0.3, 0.1, 0.3, 0.1, 0.2]]])  # [batch, head, slot]
print("memory", memory.shape, "weight", weight.shape)  # [batch, slot, width]

# %% [markdown]
# **Question.** *What is a neural Turing machine made of?* A controller (here an LSTM, a network
# that keeps a state from step to step), a memory, and heads whose weights over the slots the
# controller sets. All of it can be trained by gradients.
#
# ## 5.2 Reading and writing
#
# Reading is a weighted sum of the slots, $r = \sum_i w(i) M(i)$:

# %%
print("read", addressing.read(weight, memory)[0, 0].numpy())
# 0.3 (1, 0) + 0.1 (0, 1) + 0.3 (1, 1) + 0.1 (0, 0) + 0.2 (2, 2)

# %% [markdown]
# Writing first erases, by a vector $e$ of numbers between 0 and 1, and then adds a vector $a$:
#
# $$M_t(i) = M_{t-1}(i) \, (1 - w_t(i) \, e_t) + w_t(i) \, a_t$$
#
# With all weight on slot 2, erasing its first number and adding (5, 0):

# %%
slot_2 = tf.constant([[[0.0, 0.0, 1.0, 0.0, 0.0]]])
erase, add = tf.constant([[[1.0, 0.0]]]), tf.constant([[[5.0, 0.0]]])  # [batch, head, width]
print(addressing.write(memory, slot_2, erase, add)[0].numpy())  # (1, 1) has become (5, 1)

# %% [markdown]
# **As printed, it fails.** The text gives the erase vector the length of the weights, one number
# for each slot (erratum E5.1). It is multiplied with rows of the memory, so it must be as long as
# a row:

# %%
try:
    addressing.write(memory, slot_2, tf.ones([1, 1, 5]), add)  # [batch, head, slot], as printed
except tf.errors.InvalidArgumentError as error:
    print(error.message.split("}} ")[-1].split(" [Op")[0])

# %% [markdown]
# **Question.** *How does writing differ from overwriting?* A weight of 1 and an erase vector of
# ones overwrite a slot. Smaller ones leave a part of what was there, in every slot that has some
# weight.
#
# ## 5.3 Addressing
#
# The controller sets the weights in four steps. It gives a key $k$, its strength $\beta$, a gate
# $g$, shares of moves $s$ and a sharpness $\gamma$.
#
# 1. *Content*: $w^c(i) = \mathrm{softmax}_i \, \beta \cos(k, M(i))$, slots that are like the key.
# 2. *Interpolation*: $w^g = g \, w^c + (1 - g) \, w_{t-1}$, between these and where the head was.
# 3. *Shift*: the weights move along the slots, in a circle.
# 4. *Sharpening*: $w(i) = \tilde w(i)^\gamma / \sum_j \tilde w(j)^\gamma$, large weights grow.
#
# The head was at slot 0, and its key is like slot 1. It goes half way there, then one slot on:

# %%
key, beta = tf.constant([[[0.0, 3.0]]]), tf.constant([[20.0]])  # [batch, head, width], [.., head]
w = addressing.content(key, beta, memory)  # [batch, head, slot]
print("content    ", w[0, 0].numpy())
w = addressing.interpolate(w, tf.one_hot([[0]], 5), gate=tf.constant([[0.5]]))
print("interpolate", w[0, 0].numpy())
w = addressing.shift(w, tf.constant([[[0.0, 0.1, 0.9]]]))  # shares of the moves -1, 0, +1
print("shift      ", w[0, 0].numpy())
w = addressing.sharpen(w, gamma=tf.constant([[3.0]]))
print("sharpen    ", w[0, 0].numpy())

# %% [markdown]
# After sharpening, two slots share the weight: 0 + 1 = 1 and 1 + 1 = 2.
#
# **As printed, it fails.** The text has the shares in the order -1, 0, +1; the code moves in the
# order 0, +1, -1 (E5.4). A head on slot 2 that is told to go one slot down, by (1, 0, 0), stays:

# %%
down = tf.constant([[[1.0, 0.0, 0.0]]])
moved = [tf.roll(slot_2, move, axis=-1) for move in (0, 1, -1)]  # the printed code
printed = tf.add_n([w * s for w, s in zip(moved, tf.split(down, 3, axis=-1), strict=True)])
for name, w in {"printed": printed, "mended": addressing.shift(slot_2, down)}.items():
    print(f"{name}: from slot 2 to slot {int(tf.argmax(w[0, 0]))}")

# %% [markdown]
# The printed code also takes $\log(e^x + 1)$ and powers of weights as they stand, which is too
# large or too small for 32 bits (E5.11):

# %%
print("log(exp(100) + 1):", tf.math.log(tf.exp(100.0) + 1.0).numpy())
print("softplus(100):    ", tf.nn.softplus(100.0).numpy())
even, gamma = tf.fill([1, 1, 128], 1 / 128), tf.constant([[50.0]])
power = even ** gamma[..., None]
print("printed sharpening of 128 weights:", (power / tf.reduce_sum(power))[0, 0, 0].numpy())
print("mended:  ", addressing.sharpen(even, gamma)[0, 0, 0].numpy(), "which is 1 / 128")

# %% [markdown]
# **Question.** *What is addressing by content for, and what by location?* By content a head finds
# what is like its key, wherever it is. By location it goes on from where it was, one slot after
# the other, whatever is in them. Copying needs the second.
#
# ## 5.4 The copy task
#
# Vectors of eight random bits come in, one a step. Then a mark on a ninth channel, and then
# nothing: now they are to be given back in the same order. Here a sequence of three:

# %%
task = CopyTask(batch=1, bits=8, min_length=3, max_length=3)
batch = task(0)
print("x", batch.x.shape, " y", batch.y.shape)  # [batch, time, channel], [batch, time, bit]
print("asked at steps", np.flatnonzero(batch.asked))
print(batch.x[0].numpy().astype(int).T)  # channels down, time from left to right

# %% [markdown]
# One step of the cell, with every shape. `NTMCell` is a cell of Keras: input and state in, output
# and state out.

# %%
keras.utils.set_random_seed(0)
cell = NTMCell(rnn_size=32, memory_size=16, memory_vector_dim=16)  # LSTM, 16 slots of width 16
model = SequenceModel(cell, task.channels)  # the cell along a sequence
state = cell.zero_state(batch_size=1)
output, state = cell(batch.x[:, 0], state)
print(f"{model.count_params():,} numbers; output {output.shape}")
for name in ("read", "weight", "memory"):  # the read head's weights, then the write head's
    print(f"{name.ljust(8)}{getattr(state, name).shape}")

logits = model(batch.x)  # [batch, time, bit]
print(f"loss {measures.sequence_loss(batch, logits):.3f}; ln 2 is {np.log(2):.3f}")

# %% [markdown]
# A loss of ln 2 for each bit is that of throwing a coin. The book's only printed loss, 0.787, is
# no better: it is of the first step, before anything is learned (E5.6).
#
# **The training step** is an ordinary one, because all that the memory does has a gradient.
# `batches` gives a batch for every number; XLA compiles the step, as it has many small operations.

# %%


def make_step(batches, loss_and_score, model, optimizer):
    optimizer.build(model.trainable_variables)

    @tf.function(jit_compile=True)
    def train_step(index):
        batch = batches(index)
        with tf.GradientTape() as tape:
            loss, score = loss_and_score(model, batch)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss, score

    return train_step


def train(train_step, steps, name):
    rows = []
    for step in range(steps):
        rows.append(train_step(tf.constant(step)))
        if (step + 1) % max(1, steps // 10) == 0:
            loss, score = np.mean(rows, axis=0)  # since the last line
            print(f"step {step + 1}: loss {loss:.4f}, {name} {score:.3f}")
            rows = []


def copying(model, batch):
    logits = model(batch.x, batch.steps)  # [batch, time, bit]
    wrong = tf.reduce_mean(measures.wrong_bits(batch, logits))
    return measures.sequence_loss(batch, logits), wrong


# %% [markdown]
# **A short training** on lengths of 1 to 5. The rate falls to zero, and gradients longer than 1 are
# shortened to 1.

# %%
STEPS = 1500
rate = keras.optimizers.schedules.CosineDecay(1e-2, STEPS)
optimizer = keras.optimizers.Adam(rate, global_clipnorm=1.0)
sequences = CopyTask(batch=8, bits=8, min_length=1, max_length=5, seed=0)
train(make_step(sequences, copying, model, optimizer), STEPS, "wrong bits per sequence")

# %% [markdown]
# ### Something new
#
# Other sequences, and longer ones than any in training:

# %%
EPISODES = 200  # sequences of each length
tests = {n: CopyTask(batch=100, min_length=n, max_length=n, seed=1) for n in (5, 8, 10)}
for length, wrong in measures.count_wrong_bits(model, tests, EPISODES).items():
    print(f"length {length}: {wrong.mean():.2f} of {8 * length} bits wrong")

figure = plots.attention(model, CopyTask(min_length=10, max_length=10, seed=2)(0))

# %% [markdown]
# The picture shows where the heads are. They go along the slots in a circle, one a step: 0, 15, 14
# and so on. The write head does so while the vectors come in; the read head begins again where the
# write head began, when they are asked for. That is a program. It was learned on five vectors and
# runs on for more. After this short training its steps are not exact for ever: the last weights of
# the read head are blurred, and the longer sequences have mistakes.
#
# **Question.** *Why can it copy longer sequences than it was trained on?* What it has learned is
# what to do at a step: write and move on, or read and move on. The number of steps is not part
# of it.
#
# ## 5.5 Memory-augmented networks
#
# A *memory-augmented network* (MANN) uses the memory for few-shot learning. Items are shown one
# after the other, each with the label of the *one before it*, and each is to be named before its
# own label is seen. At its first appearance a class can only be guessed; from then on the network
# could know it, if it has kept item and label together. Labels are drawn anew in every episode.
#
# In a lesson of two minutes an item is no picture but eight random numbers, the same ones whenever
# its class is shown. Three classes, ten steps:

# %%
WAY, LENGTH, NUMBERS = 3, 10, 8


def episodes(index, seed=0, batch=16):
    root = tf.random.fold_in(tf.constant([seed, 0]), index, alg="philox")
    seeds = tf.unstack(tf.random.split(root, 3, alg="philox"))
    classes = draws.normal([batch, WAY, NUMBERS], seeds[0])
    class_of = tf.cast(WAY * draws.uniform([batch, LENGTH], seeds[1]), tf.int32)
    binding = draws.distinct(draws.uniform([batch, WAY], seeds[2]), WAY)  # [batch, way]
    label = tf.gather(binding, class_of, batch_dims=1)  # [batch, time]
    items = tf.gather(classes, class_of, batch_dims=1)  # [batch, time, number]
    # as pictures of one row, the form that the chapter's functions take
    return with_previous(items[:, :, None, :, None], tf.one_hot(label, WAY)), label, class_of


x, label, class_of = episodes(tf.constant(0))
print("x", x.shape, "label", label.shape)  # [batch, time, number + label], [batch, time]
print("label of each step:    ", label[0].numpy())
print("label that comes along:", tf.argmax(x[0, :, NUMBERS:], axis=-1).numpy(), "(0 at the first)")

# %% [markdown]
# **Question.** *How does it differ from a neural Turing machine?* It has no addressing by location:
# it reads by content alone, and writes to where it has just read or to what was used least.
#
# ## 5.6 Reading, and writing to the least used slot
#
# The *usage* of a slot grows when it is read or written and fades by a factor $\gamma$:
# $w^u_t = \gamma w^u_{t-1} + w^r_t + w^w_t$. The slot used least is emptied and written next. In
# the book's example the usage is (0.3, 0.3, 0.1, 0.3):

# %%
usage = tf.constant([[0.3, 0.3, 0.1, 0.3]])  # [batch, slot]
least = least_used(usage, count=1)
print("least used", least[0].numpy())
written = least[:, None]  # [batch, head, slot], all weight on the least used slot
nothing_read = tf.zeros([1, 1, 4])
print("usage then", update_usage(usage, nothing_read, written, gamma=0.95)[0].numpy())

# %% [markdown]
# 0.95 times 0.1, and 1 for the writing, make 1.095: it is the last to be overwritten now.
#
# **As printed, it fails.** The book finds the place to read in the memory *before* the writing and
# then reads *after* it (E5.18). What was just written to slot 2 is not found, even with the very
# same key: the most weight is on slot 3. Mended, it is on slot 2.

# %%
before = tf.constant([[[1.0, 0.0], [0.0, 0.5], [0.0, 0.0], [-1.0, 0.0]]])  # [batch, slot, width]
key = tf.constant([[[-1.0, -1.0]]])  # [batch, head, width], written to slot 2
after = before + tf.matmul(written, key, transpose_a=True)
for name, seen in {"printed": before, "mended": after}.items():
    w = read_head_addressing(key, seen)  # [batch, head, slot]
    print(
        f"{name.ljust(8)}weights {w[0, 0].numpy()}, read {addressing.read(w, after)[0, 0].numpy()}"
    )

# %% [markdown]
# **Question.** *How is it decided where to write?* By
# $w^w_t = \sigma(\alpha) \, w^r_{t-1} + (1 - \sigma(\alpha)) \, w^{lu}_{t-1}$, where the
# controller gives $\alpha$: it either adds to what was just read or takes the least used slot.
#
# ## 5.7 Training it
#
# The same training step, with the cross-entropy of the labels.

# %%


def naming(model, batch):
    x, label, _ = batch
    logits = model(x)  # [batch, time, way]
    right = tf.cast(measures.is_right(label, logits), tf.float32)  # [batch, time]
    return measures.label_loss(label, logits), tf.reduce_mean(right)


def by_presentation(model):
    x, label, class_of = episodes(tf.constant(0), seed=1, batch=400)  # never drawn in training
    found = measures.by_presentation(measures.is_right(label, model(x)), class_of, (1, 2, 3, 4))
    return ", ".join(f"{number}: {100 * right.mean():.0f} %" for number, right in found.items())


keras.utils.set_random_seed(0)
cell = MANNCell(rnn_size=50, memory_size=16, memory_vector_dim=16, head_num=2, output_dim=WAY)
network = SequenceModel(cell, NUMBERS + WAY)
print("untrained, by presentation:", by_presentation(network))

STEPS = 1200
rate = keras.optimizers.schedules.CosineDecay(1e-2, STEPS)
optimizer = keras.optimizers.Adam(rate, global_clipnorm=10.0)
train(make_step(episodes, naming, network, optimizer), STEPS, "share of right labels")
print("trained, by presentation:  ", by_presentation(network))

# %% [markdown]
# At its first appearance a class can only be guessed; 42 % are more than a third, as labels told
# already belong to other classes. At the second appearance 90 % are right: the network has been
# told once, in this episode, and no weight has changed. The episodes are new, and so are all their
# classes.
#
# **Question.** *Why does the label come one step late?* If it came with its item, naming it would
# be reading it off the input. So the network must keep an item until its label arrives, join the
# two, and find them again when the item comes back.
#
# ## Exercise
#
# A head shall read the slot *after* the one whose content is like a key: that is how a neural
# Turing machine finds what followed an item. Which strength, gate, moves and sharpness do that?
# Try them on the memory of section 5.1 with the key (0, 3), which points where slot 1 points.
#
# <details>
# <summary>Solution</summary>
#
# ```python
# key = tf.constant([[[0.0, 3.0]]])
# w = addressing.content(key, tf.constant([[50.0]]), memory)
# w = addressing.interpolate(w, tf.one_hot([[4]], 5), tf.constant([[1.0]]))
# w = addressing.shift(w, tf.constant([[[0.0, 0.0, 1.0]]]))
# w = addressing.sharpen(w, tf.constant([[1.0]]))
# print(w[0, 0].numpy(), addressing.read(w, memory)[0, 0].numpy())
# ```
#
# A large strength puts all weight on slot 1, whose direction is the key's. A gate of 1 forgets
# where the head was (here slot 4), the move +1 leads to slot 2, and nothing is left to sharpen. It
# reads (1, 1), what is in slot 2.
#
# </details>
#
# ## Go on
#
# `python -m chapters.ch05_memory.train_ntm` trains the copy task until it makes no mistake, and has
# repeat copy and associative recall as presets. `python -m chapters.ch05_memory.train_mann` shows
# real characters to a memory-augmented network; `--preset paper` is the paper's Omniglot task. The
# [page of the chapter](README.md) has the results, and what makes the copy task learnable.
