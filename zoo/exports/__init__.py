"""Models as files for elsewhere: formats, how they are written, and how they are checked."""
