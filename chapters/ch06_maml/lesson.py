# %% [markdown]
# # Lesson 6: MAML
#
# Sections 6.1 to 6.8 of the book. Curves as tasks, an inner step that can be checked by hand, the
# gradient of a gradient, a short training, curves that the network has never seen; then attacked
# inputs (ADML) and a context instead of new weights (CAML). Ten minutes to read, two to run;
# nothing is downloaded.

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

from chapters.ch06_maml import caml
from chapters.ch06_maml.adml import ADML
from chapters.ch06_maml.adversarial import fgsm
from chapters.ch06_maml.caml import CAML
from chapters.ch06_maml.losses import binary_cross_entropy, squared_error
from chapters.ch06_maml.maml import MAML
from chapters.ch06_maml.networks import logistic_layer, mlp
from chapters.engine.evaluation import accuracy
from chapters.engine.figures import legend, plt
from chapters.experiments.sine.pictures import fits
from chapters.experiments.sine.testing import error_after
from datasets.tasks.hyperplanes import HyperplaneTasks
from datasets.tasks.sinusoid import SineTasks

# %matplotlib inline

# %% [markdown]
# ## 6.1 MAML
#
# *Model-agnostic meta-learning* looks for first weights $\theta$, an *initialisation*, from which
# a few gradient steps on a few items solve a new task. The tasks here are curves $y = A \sin(x +
# b)$, each with its own amplitude $A$ and phase $b$. Of each the learner is given ten points, the
# *support set*, and is asked for $y$ at ten others, the *queries*.

# %%
two_curves = SineTasks(shot=10, query=10, tasks=2, seed=0)
inputs, query_y = two_curves(0)
for name, value in {**inputs, "query_y": query_y}.items():
    print(f"{name.ljust(10)}{value.shape}")  # [task, point, 1]

figure, axes = plt.subplots(1, 2, figsize=(7, 2.4), sharey=True, layout="constrained")
x = tf.linspace(-5.0, 5.0, 100)[:, None]  # [point, 1]
truth = SineTasks.curve(two_curves.parameters(0), x)  # [task, point, 1]
for task, axis in enumerate(axes):
    axis.plot(x[:, 0], truth[task, :, 0], color="0.7", label="curve")
    for name, dots, y in (("support", "^", inputs["support_y"]), ("query", ".", query_y)):
        axis.plot(inputs[f"{name}_x"][task], y[task], dots, color="0.1", label=name)
    axis.set(xlabel="x", ylabel="y")
legend(figure, columns=3)

# %% [markdown]
# The network has one input, two hidden layers of 40 units and one output. While it adapts, each
# task has weights of its own, so that every weight has a task axis in front:

# %%
learner = MAML(mlp(1, 1), squared_error, inner_rate=0.01)
print(f"{learner.count_params():,} numbers in theta")
adapted = learner.adapt(inputs["support_x"], inputs["support_y"])  # list of [task, ...]
for theta, weight in zip(learner.trainable_variables, adapted, strict=True):
    print(f"theta {str(theta.shape).ljust(10)} adapted {weight.shape}")

prediction = learner.predict_with(adapted, inputs["query_x"])  # [task, query, 1]
print("prediction", prediction.shape, "loss of each task", squared_error(query_y, prediction).shape)

# %% [markdown]
# **Question.** *What is MAML, and why is it called model-agnostic?* It learns the weights that
# training on a new task begins with. It only asks that the model be trained by gradients, so
# regression, classification and policies are all served by it.
#
# ## 6.2 The algorithm
#
# Inner loop, for each task $T_i$ and its support set; outer loop, for all tasks, with the queries
# of *the same* tasks (the book's "new set of tasks" is erratum E6.1):
#
# $$\theta'_i = \theta - \alpha \nabla_\theta L_{T_i}(f_\theta)
# \qquad \theta \leftarrow \theta - \beta \nabla_\theta \sum_i L_{T_i}(f_{\theta'_i})$$
#
# A model of one number can be followed by hand: $f(x) = \theta x$ with $\theta = 1$, support point
# $(1, 2)$, query point $(2, 4)$, $\alpha = 0.25$. The support loss is $(\theta - 2)^2$, its
# gradient $2 (\theta - 2) = -2$, so $\theta' = 1 + 0.25 \cdot 2 = 1.5$. The query loss is $(2
# \theta' - 4)^2 = 1$, and its gradient with respect to $\theta'$ is $4 (2 \theta' - 4) = -4$. The
# chain rule leads back to $\theta$: $d\theta' / d\theta = 1 - \alpha H = 1 - 0.25 \cdot 2 = 0.5$,
# where $H = 2$ is the second derivative of the support loss. So the *meta-gradient* is $-4 \cdot
# 0.5 = -2$.

# %%
one = {"support_x": [[[1.0]]], "support_y": [[[2.0]]], "query_x": [[[2.0]]]}  # [task, point, 1]
one, one_y = {name: tf.constant(value) for name, value in one.items()}, tf.constant([[[4.0]]])


def tiny(rate, first_order=False):
    layers = [keras.layers.Input((1,)), keras.layers.Dense(1, use_bias=False)]
    made = MAML(keras.Sequential(layers), squared_error, rate, first_order=first_order)
    made.trainable_variables[0].assign([[1.0]])  # theta = 1
    return made


def meta_gradient(learner):
    with tf.GradientTape() as tape:
        loss = squared_error(one_y, learner(one, training=True))[0]
    (gradient,) = tape.gradient(loss, learner.trainable_variables)  # [1, 1]
    return float(loss), float(gradient[0, 0])


by_hand = tiny(rate=0.25)
print("theta'", by_hand.adapt(one["support_x"], one["support_y"])[0].numpy().ravel())
loss, gradient = meta_gradient(by_hand)
print(f"query loss {loss:g}, meta-gradient {gradient:g}")

# %% [markdown]
# **As printed, it fails.** The book takes the outer gradient with respect to $\theta'_i$ (E6.3).
# That leaves out the factor $1 - \alpha H$ and is *first-order* MAML, FOMAML. For small $\alpha$
# it is a good and cheap approximation. For $\alpha = 1$ the factor here is $1 - 2 = -1$, and the
# printed gradient points the wrong way: a step against it makes the query loss larger.

# %%
for name, first_order in {"with respect to theta' (printed)": True, "to theta": False}.items():
    far = tiny(rate=1.0, first_order=first_order)
    loss, gradient = meta_gradient(far)
    far.trainable_variables[0].assign_sub([[0.01 * gradient]])
    print(f"{name.ljust(34)}{gradient:5g}; loss {loss:g}, after a step {meta_gradient(far)[0]:.3f}")

# %% [markdown]
# **Question.** *What do inner and outer loop do?* The inner loop trains on one task and finds its
# $\theta'_i$, which is thrown away afterwards. The outer loop changes $\theta$ so that the inner
# loop ends better on the queries.
#
# ## 6.3 MAML in supervised learning
#
# The loss is the squared error for regression and the cross-entropy for classification (printed
# without its minus sign, E6.2). The call of a learner is the inner loop, so the outer step is an
# ordinary training step whose tape goes through it:

# %%
STEPS, EPISODES = 3000, 500  # of each training, and curves or planes of a test


def outer_step(learner, tasks, rate):
    optimizer = keras.optimizers.Adam(rate)  # beta
    optimizer.build(learner.trainable_variables)

    @tf.function(jit_compile=True)  # one compiled program, which is faster
    def step(index):
        inputs, query_y = tasks(index)
        theta = learner.trainable_variables
        with tf.GradientTape() as tape:
            prediction = learner(inputs, training=True)  # adapts; [task, query, 1]
            loss = tf.reduce_mean(learner.objective(query_y, prediction))
        gradients = tape.gradient(loss, theta)  # a gradient of a gradient
        optimizer.apply_gradients(zip(gradients, theta, strict=True))
        return loss

    return step


def train(name, step):
    losses = [float(step(tf.constant(number))) for number in range(STEPS)]
    tenth = max(1, STEPS // 10)
    print(f"{name}: mean loss of the first {tenth} steps {np.mean(losses[:tenth]):.2f}, ", end="")
    print(f"of the last {tenth} {np.mean(losses[-tenth:]):.2f}")


# %% [markdown]
# MAML without inner steps is *joint training*: one network for all curves, the usual way. Both
# see the same curves.

# %%
curves = SineTasks(shot=10, query=10, tasks=25, seed=1)
joint = MAML(mlp(1, 1), squared_error, inner_rate=0.01, inner_steps=0)
train("joint training", outer_step(joint, curves, rate=0.001))
train("MAML", outer_step(learner, curves, rate=0.001))

# %% [markdown]
# ## Something new
#
# Curves of another seed, which no step has seen. Each learner gets ten points of a curve and takes
# 0, 1, 5 or 10 gradient steps on them; the error is that on 40 other points. (Who always says 0
# has an error of half the mean of $A^2$, which is 4.25 for amplitudes from 0.1 to 5.)

# %%
new_curves = SineTasks(shot=10, query=40, tasks=100, seed=2)


def errors(learner):
    means = [error_after(learner, new_curves, steps, EPISODES)().mean for steps in (0, 1, 5, 10)]
    return "".join(f"{mean:8.2f}" for mean in means)


print("steps".ljust(16) + "".join(f"{steps:8}" for steps in (0, 1, 5, 10)))
for name, network in {"joint training": joint, "MAML": learner}.items():
    print(name.ljust(16) + errors(network))

drawn = SineTasks(shot=10, query=1, tasks=2, seed=3)
figure = fits({"MAML": learner, "joint training": joint}, drawn, shown=[0, 1, 10])

# %% [markdown]
# Before any step both draw nearly the same curve, a mean of all. Then one step does more for MAML
# than ten do for joint training.
#
# **Question.** *How does MAML differ from training one network on all tasks?* Joint training
# minimises the loss *before* adapting, and ends at a compromise. MAML minimises the loss *after*
# adapting; how well $\theta$ itself does is of no matter.
#
# ## 6.5 Building MAML from scratch
#
# The book builds MAML with NumPy for a single layer, $\mathrm{sigmoid}(x \theta)$, with $x$ of 50
# numbers from 0 to 1, ten points and ten tasks (this section stands before 6.4 in the book).
#
# **As printed, it fails.** The labels are coin flips, whatever $x$ is (E6.5). Ten points can be
# learned by heart, but whoever does so does *worse* on fresh points than somebody who knows
# nothing and says one half each time, at a loss of ln 2. And with the printed $\alpha = 0.0001$
# the inner step does nothing (E6.8):

# %%
printed = HyperplaneTasks(shot=10, query=1000, tasks=10, seed=0, as_printed=True)
flips, flips_y = printed(0)
support = flips["support_x"], flips["support_y"]
print(f"ln 2 = {np.log(2):.4f}")
for rate, steps in ((0.0001, 1), (1.0, 100)):
    layer = MAML(logistic_layer(50), binary_cross_entropy, rate)
    before, after = layer.adapt(*support, steps=0), layer.adapt(*support, steps=steps)
    print(f"alpha {rate:g}, {steps} inner step(s), loss before and after:")
    for name, x, y in (("support", *support), ("fresh", flips["query_x"], flips_y)):
        losses = [binary_cross_entropy(y, layer.predict_with(w, x)) for w in (before, after)]
        print(name.rjust(12), *(f"{tf.reduce_mean(loss):.4f}" for loss in losses))

# %% [markdown]
# Mended, every task has a hyperplane of its own that decides the labels, and all planes have
# something in common which can be learned:

# %%
planes = HyperplaneTasks(shot=10, query=10, tasks=10, seed=1)
classifier = MAML(logistic_layer(50), binary_cross_entropy, inner_rate=1.0)
train("MAML", outer_step(classifier, planes, rate=0.01))

new_planes = HyperplaneTasks(shot=10, query=100, tasks=max(2, EPISODES), seed=2)
fresh, fresh_y = new_planes(0)  # tasks that training never saw
for steps in (0, 1):
    weights = classifier.adapt(fresh["support_x"], fresh["support_y"], steps)
    logits = classifier.predict_with(weights, fresh["query_x"])  # [task, query, 1]
    loss = tf.reduce_mean(binary_cross_entropy(fresh_y, logits))
    print(f"fresh planes, {steps} step(s): loss {loss:.3f},", end=" ")
    print(f"accuracy {100 * tf.reduce_mean(accuracy(fresh_y, logits)):.1f} %")

# %% [markdown]
# Now the loss is below ln 2. Most of it comes from what the planes have in common; ten points in
# 50 dimensions add a little.
#
# **Question.** *Why does the book's own loss fall, if nothing can be learned?* It begins at random
# weights, whose loss is above ln 2, and can fall that far. What is printed is also the loss of a
# single task, on the ten points it is about to train on, before it does (E6.9).
#
# ## 6.6 Adversarial meta-learning: the attack
#
# An *adversarial example* is an input that was changed a little, so that the model errs. The *fast
# gradient sign method*, FGSM, moves every number of $x$ by $\epsilon$ towards a larger loss $J$:
#
# $$x_{adv} = x + \epsilon \, \mathrm{sign}(\nabla_x J(x, y; \theta))$$
#
# By hand, for $\mathrm{sigmoid}(x \theta)$ with $x = (0.5, 0.5)$, $\theta = (2, -1)$, $y = 1$: the
# logit is 0.5, the probability $p = 0.62$, the gradient $(p - y) \theta = -0.38 \, (2, -1)$, its
# sign $(-1, 1)$. With $\epsilon = 0.2$ that gives $(0.3, 0.7)$, and a logit of $0.6 - 0.7 = -0.1$:
# the other class.
#
# **As printed, it fails.** The book's attack takes the softmax over *one* column (E6.19), which is
# 1 whatever the logit. Its logarithm is 0, its gradient is 0, and nothing moves:

# %%
x = tf.constant([[[0.5, 0.5]]])  # [task, item, dim]
y = tf.constant([[1]])
theta = tf.constant([[[2.0], [-1.0]]])  # [task, dim, 1]


def printed_loss(y, logits):
    probability = tf.nn.softmax(logits, axis=-1)  # over one column: 1
    return -tf.reduce_mean(tf.cast(y, tf.float32) * tf.math.log(probability[..., 0]), axis=-1)


for name, objective in {"printed": printed_loss, "sigmoid": binary_cross_entropy}.items():
    attacked = fgsm(lambda x: x @ theta, objective, x, y, epsilon=0.2)  # [task, item, dim]
    logit = (attacked @ theta)[0, 0, 0]
    print(name.ljust(9), attacked[0, 0].numpy(), f"logit {logit:.1f}")

# %% [markdown]
# The classifier of the section before, which has adapted to ten clean points, and is then asked
# about attacked ones:

# %%
EPSILON = 0.05  # of inputs from 0 to 1


def under_attack(learner):
    weights = learner.adapt(fresh["support_x"], fresh["support_y"])

    def predict(x):
        return learner.predict_with(weights, x)  # [task, query, 1]

    query_x = fresh["query_x"]
    moved = fgsm(predict, learner.objective, query_x, fresh_y, EPSILON)  # [task, query, dim]
    for name, x in {"clean": query_x, "attacked": moved}.items():
        logits = predict(x)
        loss = tf.reduce_mean(learner.objective(fresh_y, logits))
        right = 100 * tf.reduce_mean(accuracy(fresh_y, logits))
        print(f"{name.rjust(10)}: loss {loss:.2f}, accuracy {right:.1f} %")


under_attack(classifier)

# %% [markdown]
# **Question.** *What is FGSM?* One step of gradient *ascent* on the input, of which only the sign
# of each number is used. Fifty small changes add up: the logit moves by $\epsilon$ times the sum
# of all $|\theta|$ (twice that in this layer, which first stretches its inputs to -1 to 1).
#
# ## 6.7 Building ADML
#
# *Adversarial meta-learning* adapts each task twice: to its clean support set and to an attacked
# one. Then they change places: the weights adapted to attacked items answer for clean queries, the
# weights adapted to clean items for attacked ones. (The book lets clean meet clean and attacked
# meet attacked, which is two MAMLs side by side, E6.17.) `predict_pair` does both, and the outer
# step adds up the two losses:

# %%
robust = ADML(logistic_layer(50), binary_cross_entropy, inner_rate=1.0, epsilon=EPSILON)
optimizer = keras.optimizers.Adam(0.01)
optimizer.build(robust.trainable_variables)


@tf.function(jit_compile=True)
def adml_step(index):
    inputs, query_y = planes(index)
    with tf.GradientTape() as tape:
        clean, attacked = robust.predict_pair(inputs, query_y)  # [task, query, 1] each
        losses = robust.objective(query_y, clean) + robust.objective(query_y, attacked)  # [task]
        loss = tf.reduce_mean(losses) / 2
    gradients = tape.gradient(loss, robust.trainable_variables)
    optimizer.apply_gradients(zip(gradients, robust.trainable_variables, strict=True))
    return loss


train("ADML", adml_step)
under_attack(robust)
for name, network in {"MAML": classifier, "ADML": robust}.items():
    print(f"sum of |theta|, {name}: {tf.reduce_sum(abs(network.trainable_variables[0])):.1f}")

# %% [markdown]
# The attacked loss is lower, at a small cost on clean queries. The accuracy under attack hardly
# gains: what a single layer can do is shrink $\theta$, which makes its errors less certain, not
# fewer. On images, with a deep network, ADML does hold against small changes: see the
# [results](RESULTS.md).
#
# **Question.** *How does ADML differ from MAML?* It adapts to clean and to attacked items, and is
# judged on the kind that it was not adapted to. So it learns an initialisation that serves both.
#
# ## 6.8 CAML
#
# *Fast context adaptation via meta-learning*, CAML, splits the parameters. $\theta$ is shared by
# all tasks and learned by the outer loop. The inner loop changes only the *context parameters*
# $\phi$, here five numbers beside $x$. They begin at zero in every task ("set to theta" in the
# book, E6.27):
#
# $$\phi_i = \phi_0 - \alpha \nabla_\phi L_{T_i}(f_{\phi_0, \theta}), \; \phi_0 = 0 \qquad
# \theta \leftarrow \theta - \beta \nabla_\theta \sum_i L_{T_i}(f_{\phi_i, \theta})$$
#
# The outer gradient is with respect to $\theta$, not $\phi$ (E6.26): `outer_step` as it is.

# %%
context = CAML(caml.sine_network(context_size=5), squared_error, inner_rate=1.0)
print("phi_0", context.start(inputs["support_x"]).numpy()[0], "of the first task")
train("CAML", outer_step(context, curves, rate=0.001))
for name, network in {"MAML": learner, "CAML": context}.items():
    print(name.ljust(16) + errors(network))

# %% [markdown]
# Five numbers are enough to tell one curve from another, and after one step the error is below
# that of MAML, which changes all of its weights. They can be looked at:

# %%
many = SineTasks(shot=10, query=1, tasks=max(2, EPISODES), seed=4)
given, _ = many(0)
phi = context.adapt(given["support_x"], given["support_y"]).numpy()  # [task, context]
first, second = np.argsort(phi.var(axis=0))[::-1][:2]  # the two that vary most

figure, axes = plt.subplots(1, 2, figsize=(7.5, 3), sharey=True, layout="constrained")
parameters = many.parameters(0)
for axis, name in zip(axes, ("amplitude", "phase"), strict=True):
    dots = axis.scatter(phi[:, first], phi[:, second], s=8, c=getattr(parameters, name))
    figure.colorbar(dots, label=f"{name} of the curve")
    axis.set(xlabel=f"phi {first}", ylabel=f"phi {second}")

# %% [markdown]
# Small amplitudes lie in the middle, and the phase is the direction from there: nobody has told
# the network what amplitude and phase are.
#
# **Question.** *What are context parameters good for?* Adapting changes few numbers, which are
# quickly found, stored and looked at, and it overfits less. Everything else is learned once.
#
# ## Exercise
#
# How much does the gradient of a gradient matter on these curves? Train first-order MAML with
# `first_order=True` on the same curves and compare the errors.
#
# <details>
# <summary>Solution</summary>
#
# ```python
# first_order = MAML(mlp(1, 1), squared_error, inner_rate=0.01, first_order=True)
# train("FOMAML", outer_step(first_order, curves, rate=0.001))
# for name, network in {"MAML": learner, "FOMAML": first_order}.items():
#     print(name.ljust(16) + errors(network))
# ```
#
# Less than one might think. After one step the error of FOMAML is a little above that of MAML, and
# far below that of joint training. With $\alpha = 0.01$ the factor $1 - \alpha H$ that it leaves
# out is near 1 for most directions.
#
# </details>
#
# ## Go on
#
# `python -m chapters.ch06_maml.train_sine` is this lesson at length, with tests and a run folder;
# `--preset maml_5way` of `train_omniglot` trains on characters as the paper does. `python -m
# chapters.ch06_maml.gradcheck` checks the meta-gradient three ways, one of them [without automatic
# differentiation](numpy_maml.py). The [page of the chapter](README.md) has ANIL, which adapts the
# last layer alone, and attacks on characters; the results are [on another](RESULTS.md). Section
# 6.4, MAML for reinforcement learning, is on [a page of its own](ACTING.md): a policy is adapted by
# the gradient of its return, and judged on what it does *after* that (E6.14).
