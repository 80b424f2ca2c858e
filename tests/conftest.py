"""Rules for all tests: fixed seeds, a cache folder of their own, no network, no surprise skips.

Two processes run the tests side by side, each with one thread of TensorFlow: together they take
little more than half of the time, since most operations of the tests are too small for two threads.
"""

import os
import random
import socket
import sys

import numpy as np
import pytest

import chapters  # noqa: F401  (before TensorFlow: it sets Keras' backend and quiets the start-up)

# Settings of the person who runs the tests must not decide what they find; where TensorFlow's may
# differ (oneDNN), the tests allow for it.
for name in ("METAZOO_OFFLINE", "TF_CONFIG"):
    os.environ.pop(name, None)
if "PYTEST_XDIST_WORKER" in os.environ:
    for pool in ("INTRAOP", "INTEROP"):
        os.environ.setdefault(f"TF_NUM_{pool}_THREADS", "1")

LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")


def pytest_make_parametrize_id(config, val, argname):
    """Bytes have no name: they may be long, and differ between processes by a time stamp."""
    return argname if isinstance(val, bytes | bytearray) else None


def pytest_collection_modifyitems(items):
    """Tests on the published data sets skip themselves where these are not."""
    if os.environ.get("METAZOO_DATA"):
        return
    reason = "set METAZOO_DATA to a folder with the published data sets to run this test"
    for item in items:
        if item.get_closest_marker("real_data"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory):
    """A cache folder for the session: stand-ins are generated once and the user's stays clean.

    All processes share it, as those of a user do: one generates, the others wait.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "metazoo_cache"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METAZOO_CACHE", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def fixed_seeds():
    """Every test starts with the same random numbers, whichever tests ran before."""
    random.seed(0)
    np.random.seed(0)
    if "keras" in sys.modules:  # not imported for tests that do without
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def no_network(request, monkeypatch):
    """Connections to anything but this machine fail, except in tests marked ``network``."""
    if request.node.get_closest_marker("network"):
        return

    def guarded(connect):
        def call(self, address):
            internet = self.family in (socket.AF_INET, socket.AF_INET6)
            if internet and not str(address[0]).startswith(LOOPBACK):
                raise RuntimeError(f"a test tried to reach {address}; mark it network or stop it")
            return connect(self, address)

        return call

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
