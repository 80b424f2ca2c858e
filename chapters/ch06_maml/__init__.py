"""Chapter 6: MAML and its variants."""
