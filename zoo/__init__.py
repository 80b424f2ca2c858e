"""The zoo: published results and weights, collected from finished runs."""

from zoo.catalogue import list_models


def load(name: str):
    """A model of the zoo with its published weights, as ``zoo.loading.Loaded``."""
    from zoo import loading  # loads TensorFlow

    return loading.load(name)


__all__ = ["list_models", "load"]
