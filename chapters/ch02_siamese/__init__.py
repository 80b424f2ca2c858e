"""Chapter 2: face and audio recognition with siamese networks."""

from chapters.engine.processor import prefer_onednn

prefer_onednn()
