"""Apparatus shared by all chapters: nothing here is derived in the book."""
