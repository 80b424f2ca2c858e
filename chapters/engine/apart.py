"""A function in a process of its own: another library, to measure against.

Libraries that share a process with TensorFlow can bring it down. Here an absent, broken or crashing
one has a ``failure`` in words and nothing else happens.
"""

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from contextlib import suppress


class Apart:
    """A function that another process makes and calls.

    Args:
        library: imported first in that process, before TensorFlow.
        maker: "module:function"; returns the function to call.
        *arguments: of ``maker``, as JSON can write them.

    ``failure`` says why it cannot be called; it is empty while it can. A call returns when the
    function has finished, and does nothing after a failure.
    """

    def __init__(self, library: str, maker: str, *arguments):
        self.failure, self._process = "", None
        if importlib.util.find_spec(library) is None:
            self.failure = "not installed"
            return
        command = [sys.executable, "-m", __name__, library, maker, json.dumps(arguments)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._answer()  # the function is made

    def __call__(self) -> None:
        """Call the function over there."""
        if self.failure:
            return
        with suppress(BrokenPipeError):
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        self._answer()

    def close(self) -> None:
        """End the process."""
        if self._process:
            self._process.kill()
            self._process.communicate()

    def _answer(self) -> None:
        answer = self._process.stdout.readline()
        if answer == "done\n":
            return
        code = self._process.wait()
        crashed = f"crashed (signal {-code})" if code < 0 else f"ended with code {code}"
        self.failure = answer.strip() or crashed


def shown(function, figures: str) -> str:
    """A row of a table: the figures, or why the function has none."""
    failure = function.failure if isinstance(function, Apart) else ""
    return f"  {failure}" if failure else figures


def serve(library: str, maker: str, arguments: str) -> None:
    """The other side: make the function, then call it once for each line that comes in."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever is printed there is no answer
    try:
        importlib.import_module(library)
        module, name = maker.split(":")
        function = getattr(importlib.import_module(module), name)(*json.loads(arguments))
        print("done", file=answers, flush=True)
        for _ in sys.stdin:
            function()
            print("done", file=answers, flush=True)
    except Exception as error:  # of whatever kind: a line in the table
        print(f"{type(error).__name__}: {error}".partition("\n")[0][:60], file=answers, flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
