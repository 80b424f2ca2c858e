"""Chapter 2: face and audio recognition with siamese networks."""
