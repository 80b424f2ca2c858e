"""Chapter 4: relation and matching networks."""

from chapters.engine.processor import prefer_onednn

prefer_onednn()
