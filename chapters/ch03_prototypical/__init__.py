"""Chapter 3: prototypical networks and their variants."""
