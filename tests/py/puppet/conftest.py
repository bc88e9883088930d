"""A device that does what a test says; see tests/support/puppet_driver.c."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rig

import awaitd

# test_puppet.py runs this folder.
collect_ignore_glob = [] if os.environ.get("AWAITD_PUPPET") else ["test_*.py"]


class Puppet:
    """Its strings."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.path = folder / "puppet.socket"
        self._gone = folder / "puppet.socket.gone"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._options = options
        self.device: awaitd.CanDevice

    def open(self, **options: Any) -> awaitd.CanDevice:
        self.device = awaitd.open(
            {"name": "CANbus", "driver": "puppet", "path": self.path, **options}
        )
        return self.device

    def tell(self, *orders: str) -> None:
        for order in orders:
            self._socket.sendto(order.encode(), str(self.path))

    def settle(self) -> None:
        """Until every order so far has been carried out: its frame came."""
        with self.device.queue(
            filters=[{"can_id": 0x7FF, "can_mask": 0x7FF}]
        ) as queue:
            self.tell("frame 7ff")
            assert queue.recv(rig.DEADLINE_S)

    def go(self, code: int = 19) -> None:
        """Away, with ENODEV unless told otherwise, until come()."""
        self._gone.touch()
        self.tell(f"lose {code}")

    def miss(self) -> None:
        self._gone.touch()

    def come(self) -> None:
        self._gone.unlink()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def puppet(tmp_path: Path) -> Iterator[Puppet]:
    puppet = Puppet(tmp_path)
    yield puppet
    if hasattr(puppet, "device"):
        puppet.device.close()
    puppet.close()
