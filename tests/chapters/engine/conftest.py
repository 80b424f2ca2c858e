"""Fixtures of the engine's tests."""

import os
import subprocess

import pytest


@pytest.fixture
def disk(tmp_path):
    """A disk of its own, to be filled and locked; gives a function that mounts it anew."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    if os.geteuid() != 0 or not mount("size=4m"):
        pytest.skip("mounting a small disk needs root; other tests simulate the errors")
    yield folder, lambda options: mount(f"remount,{options}")
    subprocess.run(["umount", "-l", str(folder)], check=True)
