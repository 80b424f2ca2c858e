"""Processes of their own for tests that kill, crash, or need another set of devices.

Importing TensorFlow takes seconds. A fork server imports it once, before its runtime exists, and
every child is a fork of that: a fresh runtime in a fraction of a second.
"""

import multiprocessing
import os
import signal
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["chapters.engine.loop", "chapters.ch03_prototypical.train", __name__])
PATIENCE = 120  # seconds after which a child counts as stuck


class Child:
    """``function(*args)`` in a process of its own; what it prints goes to ``output``."""

    def __init__(self, output: Path, function, *args, env: dict[str, str] | None = None):
        self.output = output
        env = {**os.environ, **(env or {})}
        self.process = FORKS.Process(target=_enter, args=(str(output), env, function, args))
        self.process.start()

    def kill(self) -> None:
        """SIGKILL: nothing in the child can see it coming."""
        self.process.kill()
        self.process.join(PATIENCE)

    def wait(self) -> int:
        """Exit code; negative for a signal."""
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.kill()
            raise TimeoutError(f"the child was stuck; it said:\n{self.said}")
        return self.process.exitcode

    def finish(self) -> str:
        """Wait for success and return what the child printed."""
        code = self.wait()
        assert code == 0, f"exit code {code}; the child said:\n{self.said}"
        return self.said

    @property
    def said(self) -> str:
        """Standard output and error so far."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""


def _enter(output, env, function, args):
    os.environ.clear()
    os.environ.update(env)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    # Shells let what they start in the background ignore Ctrl-C; a child is to hear it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    function(*args)


def die_in_save(number: int) -> None:
    """Let this process kill itself at the ``number``-th flush that belongs to a checkpoint.

    A save has five: arrays, state, manifest, their folder, and (after the rename) the folder of all
    checkpoints. The kill comes before the flush, so the first of them leaves a part file alone.
    """
    from chapters.engine import checkpoints

    save, fsync, seen = checkpoints.save, os.fsync, []

    def counted(descriptor):
        seen.append(1)
        if len(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(descriptor)

    def watched(*args, **kwargs):
        os.fsync = counted
        try:
            save(*args, **kwargs)
        finally:
            os.fsync = fsync

    checkpoints.save = watched
