"""Tasks: episodes, pairs and presentations of a set; curves, sequences and points by formula."""
