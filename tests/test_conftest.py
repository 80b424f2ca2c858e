"""The rules of ``conftest.py`` hold: no connection leaves this machine, the cache is our own."""

import socket
from pathlib import Path

import pytest

from datasets.home import cache_folder


@pytest.mark.parametrize("address", ["192.0.2.1", "metazoo.invalid"])
def test_the_internet_is_out_of_reach(address):
    with socket.socket() as client, pytest.raises(RuntimeError, match="tried to reach"):
        client.connect((address, 80))


def test_this_machine_is_within_reach():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
        assert client.getpeername() == server.getsockname()


def test_the_cache_of_the_user_is_not_used(tmp_path_factory):
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if own.name.startswith("popen-") else own  # by the processes of a session
    assert cache_folder().is_relative_to(shared)
    assert not cache_folder().is_relative_to(Path.home() / ".cache")
