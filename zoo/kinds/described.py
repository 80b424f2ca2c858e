"""Pictures of classes that are known by their descriptions alone."""

import numpy as np

from chapters.experiments import zero_shot
from chapters.experiments.images import pictures
from chapters.experiments.zero_shot.pictures import best_descriptions
from chapters.experiments.zero_shot.tasks import INK
from datasets.errors import DataError
from datasets.tasks.descriptions import DescribedSampler
from zoo.kinds.base import Kind, first

WAYS = (2, 5, 20)


class Described(Kind):
    """Pictures, and a description of each class in place of examples."""

    takes = "pictures, and descriptions of classes"
    task = "Say which description fits a picture, of classes that no picture was ever seen of."
    labels = "none: classes are described, and answers are in their order"
    files = "image"
    cell = (0.8, 1.15)

    def preprocessing(self, loaded):
        """Orientation, colours and size of pictures; which words count in descriptions."""
        height, width, channels = loaded.item_shape
        ink = loaded.config.data in INK
        return (
            f"pictures upright, {'grey' if channels == 1 else 'red, green, blue'}, {height} x "
            f"{width} pixels (bilinear), 0 to 1{', bright ink' if ink else ''}; descriptions as "
            f"{loaded.learner.input_shapes()['attributes'][0]} words, rarer ones larger, length one"
        )

    def fixed_input(self, loaded):
        """Two random descriptions, and two random pictures."""
        rng = np.random.RandomState(0)  # its stream is frozen: the same in every version of NumPy
        described = rng.uniform(size=[2, *loaded.learner.input_shapes()["attributes"]])
        x = rng.uniform(size=[2, *loaded.item_shape]).astype(np.float32)
        return {"attributes": described[None].astype(np.float32), "query_x": x[None]}

    def random_tasks(self, loaded):
        """Tasks of several ways: a description has a few random words."""
        rng = np.random.default_rng(0)
        tasks = []
        for way in WAYS:
            words = rng.random([way, *loaded.learner.input_shapes()["attributes"]])
            described = (words >= np.sort(words, axis=1)[:, [-min(8, words.shape[1])]]).astype(
                float
            )
            described /= np.linalg.norm(described, axis=1, keepdims=True)
            x = rng.random([1 + way % 4, *loaded.item_shape])
            tasks.append({"attributes": described.astype(np.float32),
                          "query_x": x.astype(np.float32)})  # fmt: skip
        return tasks

    def real_tasks(self, loaded):
        """Tasks of unseen classes, where the data lie on this machine."""
        drawn = _drawn(loaded)
        if drawn is None:
            return {}
        unseen = len(drawn.data.classes("test"))
        options = drawn.data, "test", drawn.described
        samplers = [DescribedSampler(*options, min(way, unseen), query=2) for way in WAYS]
        return {drawn.data.name: [first(sampler(0)[0]) for sampler in samplers]}

    def picture(self, loaded, width):
        """Unseen pictures and the descriptions that fit best; none where the data are missing."""
        drawn = _drawn(loaded)
        return drawn and best_descriptions(loaded.learner, drawn)

    def show(self, axis, item, loaded):
        """As it is."""
        axis.set_axis_off()
        pictures.image(axis, item, loaded.config.data in INK)


def _drawn(loaded):
    """The classes that the model was trained without; None where the data are not here."""
    try:
        data = zero_shot.load(loaded.config)
    except DataError:
        return None
    return zero_shot.split(data, loaded.config, 0)


KIND = Described()
