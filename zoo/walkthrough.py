"""From your ten photos to an exported classifier, cell by cell.

Opens as a notebook in VS Code, PyCharm, Spyder and (with jupytext) Jupyter, and runs as a program:

    python -m zoo.walkthrough
    PHOTOS=my_photos python -m zoo.walkthrough      # your own, laid out as in the first cell
"""

# %% [markdown]
# # From ten photos to a classifier
#
# A few-shot model learns new classes from a handful of pictures, without training: it compares. We
# take ten photos of five things, name photos that it has not seen, and write a file that does the
# same without this project.

# %%
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw

import zoo
from chapters.engine import script
from datasets.readers.folder import class_files

sys.excepthook = script.excepthook  # as a program it ends in a sentence where it can
PHOTOS = os.environ.get("PHOTOS", "")  # your folder; in a notebook write it here
RESULTS = Path(os.environ.get("RESULTS") or tempfile.mkdtemp())
RESULTS.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## 1. The photos
#
# `known` has one folder per class, named after it, with one or more photos of any size and colour;
# `new` holds photos to be named.
#
#     my_photos/known/circle/1.png   my_photos/known/circle/2.png   my_photos/known/cross/1.png ...
#     my_photos/new/a.png ...
#
# The model below knows hand-drawn characters: dark ink on light paper. Without a folder of yours we
# draw five signs with a shaking hand, two of each to learn from and one to be named.

# %%
SIGNS = {  # strokes of each sign, in a square from 0 to 1
    "circle": [[(0.5 + 0.4 * np.cos(a), 0.5 + 0.4 * np.sin(a)) for a in np.linspace(0, 6.3, 20)]],
    "cross": [[(0.1, 0.1), (0.9, 0.9)], [(0.9, 0.1), (0.1, 0.9)]],
    "ladder": [[(0.3, 0.1), (0.3, 0.9)], [(0.7, 0.1), (0.7, 0.9)], [(0.3, 0.5), (0.7, 0.5)]],
    "triangle": [[(0.5, 0.1), (0.9, 0.9), (0.1, 0.9), (0.5, 0.1)]],
    "zigzag": [[(0.1, 0.2), (0.9, 0.2), (0.1, 0.8), (0.9, 0.8)]],
}


def photograph(strokes, rng) -> Image.Image:
    """A sign as somebody draws it: another place, size and hand every time."""
    side = int(rng.integers(160, 240))
    photo = Image.new("RGB", (side, side), tuple(rng.integers(230, 256, 3).tolist()))
    pen = ImageDraw.Draw(photo)
    start, size = rng.uniform(0.08, 0.16, 2), rng.uniform(0.7, 0.8, 2)
    for stroke in strokes:
        points = start + size * (np.array(stroke) + rng.normal(0, 0.015, [len(stroke), 2]))
        pen.line([tuple(point) for point in side * points], fill="black", width=side // 18)
    return photo


if not PHOTOS:
    PHOTOS, rng = RESULTS / "photos", np.random.default_rng(0)
    (PHOTOS / "new").mkdir(parents=True)
    for name, strokes in SIGNS.items():
        (PHOTOS / "known" / name).mkdir(parents=True)
        for number in (1, 2):
            photograph(strokes, rng).save(PHOTOS / "known" / name / f"{number}.png")
        photograph(strokes, rng).save(PHOTOS / "new" / f"a {name}.png")

known = class_files(Path(PHOTOS, "known"), "image")  # name -> photos
new = sorted(Path(PHOTOS, "new").iterdir())
print(f"{sum(map(len, known.values()))} photos of {', '.join(known)}; {len(new)} to be named.")

# %% [markdown]
# ## 2. A model
#
# The zoo has models by name, each with a card: what it learned from, how well it does, how to
# repeat it. This one learned from drawn characters, none of them yours, and tells any number of
# classes apart.

# %%
print("\n".join(zoo.list_models("prototypical-*")))
model = zoo.load("prototypical-omniglot-1shot")
print(f"{model.name}: {model.learner.count_params():,} parameters, items {model.item_shape}.")

# %% [markdown]
# ## 3. Names for the new photos
#
# The photos you know are averaged into one prototype per class; a new one gets the name of the
# nearest. Nothing is trained, so this takes a moment. `answers.png` shows photos, classes and
# answers.

# %%
answers = zoo.predict(model, Path(PHOTOS, "known"), new, plot=RESULTS / "answers.png")
for answer in answers:
    chance = max(answer["probabilities"].values())
    print(f"{Path(answer['query']).name}: {answer['name']} ({chance:.0%})")

# %% [markdown]
# ## 4. A file for elsewhere
#
# The SavedModel takes photos, their classes and new photos, and answers: averaging is part of it.
# It is run by itself and compared with Python before it is kept. `onnx` and `litert` are the other
# formats (`zoo/EXPORT.md`).

# %%
print(zoo.export(model, "savedmodel", RESULTS / "classifier"))

# %% [markdown]
# ## 5. The file with TensorFlow alone
#
# This is what the program that you deploy holds; nothing below comes from this project. Photos are
# prepared as the card says: grey, 28 x 28, ink bright.


# %%
def prepare(files) -> np.ndarray:
    """Photos as the network sees them: float32 [photo, 28, 28, 1], 0 to 1."""
    grey = [
        Image.open(file).convert("L").resize((28, 28), Image.Resampling.BILINEAR) for file in files
    ]
    return (255 - np.stack(grey))[..., None].astype(np.float32) / 255


serve = tf.saved_model.load(str(RESULTS / "classifier/1")).signatures["serve"]
found = serve(
    support_x=tf.constant(prepare([file for files in known.values() for file in files])),
    support_y=tf.constant(np.repeat(np.arange(len(known)), [*map(len, known.values())]), tf.int32),
    query_x=tf.constant(prepare(new)),
)["probabilities"].numpy()  # [photo, class]
names = [list(known)[row.argmax()] for row in found]
for file, name, row in zip(new, names, found, strict=True):
    print(f"{file.name}: {name} ({row.max():.0%})")
