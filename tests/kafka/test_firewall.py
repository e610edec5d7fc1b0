"""What is cut off gets no answer while others do, and nothing of it stays when its maker is gone."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.kafka import firewall
from tests.kafka.firewall import Firewall

_CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1.0)"


@pytest.fixture(autouse=True)
def _possible() -> None:
    if reason := firewall.lacks():
        pytest.skip(reason)


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.4", 0)) as server:
        yield server.getsockname()


def connects(number: int, address: tuple[str, int]) -> bool:
    command = [*firewall.wrapper(number), sys.executable, "-c", _CONNECT, address[0], str(address[1])]
    return subprocess.run(command, check=False, capture_output=True, timeout=60).returncode == 0


def test_one_process_is_cut_off_and_reaches_it_again(address: tuple[str, int]) -> None:
    with Firewall() as wall:
        assert connects(1, address)
        wall.drop([1], [address])
        assert not connects(1, address)
        assert connects(2, address), "others do"
        wall.flow()
        assert connects(1, address)
        wall.drop([1], [address])
    assert connects(1, address), "the rules went away"
