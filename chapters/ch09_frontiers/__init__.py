"""Chapter 9: task-agnostic meta-learning, learning without labels, concept space."""

from chapters.engine.processor import prefer_onednn

prefer_onednn()
