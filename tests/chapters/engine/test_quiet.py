"""TensorFlow starts without a line on standard error; errors are still printed."""

import os
import subprocess
import sys

import pytest

from chapters.engine import quiet

DATE = "0000 00:00:1795808774.151064   16673 "


def test_a_start_prints_nothing():
    code = "import chapters, tensorflow; from chapters.engine import script; script.prepare(0)"
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.parametrize(
    "line", ["a broken library", f"E{DATE}file.cc:3] out of memory", "WARNING: something else"]
)
def test_what_is_no_noise_stays(line, capfd):
    with quiet.held():
        os.write(2, f"I{DATE}cudart_stub.cc:31] Could not find cuda drivers\n{line}\n".encode())
    assert capfd.readouterr().err == f"{line}\n"


def test_a_failed_import_keeps_its_words(capfd):
    with pytest.raises(ImportError), quiet.held():
        os.write(2, b"libfoo.so: cannot open\n")
        raise ImportError("libfoo")
    assert capfd.readouterr().err == "libfoo.so: cannot open\n"
