"""Published sets: readers, where they come from, and how they are fetched."""
