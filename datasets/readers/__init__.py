"""Readers of files: pictures, sounds, and folders of your own with one folder per class."""
