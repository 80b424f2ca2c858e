"""Chapter 1: what an episode is, and learning the optimizer."""
