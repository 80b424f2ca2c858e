"""Chapter 5: memory-augmented neural networks."""
