"""TensorFlow's start without its lines of noise; what tells of an error is still printed.

Before its log is set up, TensorFlow's native library writes to standard error whatever
``TF_CPP_MIN_LOG_LEVEL`` says. So standard error is held while ``tensorflow`` is imported, and given
back without those lines. Importing this file loads no TensorFlow.
"""

import contextlib
import importlib.abc
import importlib.util
import os
import re
import sys
import tempfile

NOISE = re.compile(
    r"WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR"
    r"|[IW]\d{4} \d\d:\d\d:.*"  # information and warnings of the native log
    r"|E\d{4} \d\d:\d\d:.*cuInit: .*(UNKNOWN ERROR \(303\)|no CUDA-capable device.*)"
)


def install() -> None:
    """Hold standard error while ``tensorflow`` is imported, should that happen."""
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _Finder())


@contextlib.contextmanager
def held():
    """Standard error of this process, Python's and native, without lines of ``NOISE``."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            for line in file.read().decode("utf-8", "replace").splitlines(keepends=True):
                if not NOISE.fullmatch(line.rstrip("\r\n")):
                    os.write(2, line.encode())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds ``tensorflow`` where it is, once, and has it loaded with standard error held."""

    def find_spec(self, name, path=None, target=None):
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None:
            load = spec.loader.exec_module

            def exec_module(module):
                with held():
                    load(module)

            spec.loader.exec_module = exec_module
        return spec
