"""Experiments that several chapters run: which tasks, which tests, which tables and pictures."""
