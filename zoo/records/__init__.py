"""What is kept of a model: its files, its card, its rows of ``results.csv``; and how they read."""
