"""These tests want vcan0 and vcan1, as tests/guest/init sets them up."""

import os
import socket
import subprocess

import pytest
from can_peers import Candump, ip


@pytest.fixture(autouse=True, scope="session")
def vcan():
    """In the guest a missing interface is a failure, elsewhere a skip."""
    try:
        for name in ("vcan0", "vcan1"):
            socket.if_nametoindex(name)
        socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW).close()
    except OSError as error:
        if os.environ.get("AWAITD_GUEST"):
            raise
        pytest.skip(f"no vcan0 and vcan1 here ({error}); ./run guest has them")


@pytest.fixture
def candump(start_process):
    """candump(interface) -> Candump, listening."""

    def start(interface: str) -> Candump:
        return Candump(start_process(*Candump.command(interface)), interface)

    return start


@pytest.fixture
def spare_interface():
    """An interface that the test may take down and delete."""
    name = "vcan7"
    ip("link", "add", name, "type", "vcan")
    ip("link", "set", name, "mtu", "72", "up")
    yield name
    subprocess.run(
        ["ip", "link", "delete", name], check=False, stderr=subprocess.DEVNULL
    )
