"""Learners at equal cost: as many tasks for each, the same classes, encoder and test tasks."""
