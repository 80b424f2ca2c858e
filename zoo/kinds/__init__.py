"""Kinds of input: a file for each, so that a new kind of input is one new file."""

import importlib

from zoo.kinds.base import Kind


def find(name: str) -> Kind:
    """The kind that a chapter's ``MODELS`` calls ``name``, such as ``"image"``."""
    return importlib.import_module(f"zoo.kinds.{name}").KIND


__all__ = ["Kind", "find"]
