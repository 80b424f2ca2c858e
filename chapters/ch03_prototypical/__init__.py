"""Chapter 3: prototypical networks and their variants."""

from chapters.engine.processor import prefer_onednn

prefer_onednn()
