"""Which of CAN's protocols this kernel has, and which it must have."""

from __future__ import annotations

import os
import socket

import pytest

# As in linux/can.h.
CAN_BCM, CAN_ISOTP, CAN_J1939 = 2, 6, 7

MODULES = {
    CAN_BCM: "can-bcm",
    CAN_ISOTP: "can-isotp",
    CAN_J1939: "can-j1939",
}

# By what a guest's environment says.
MUST_HAVE = {
    "AWAITD_GUEST": {CAN_BCM, CAN_J1939},
    "AWAITD_QEMU_GUEST": set(MODULES),
}


def require_protocol(protocol: int) -> None:
    """Skips, with the reason, where the kernel lacks it and may."""
    try:
        socket.socket(socket.AF_CAN, socket.SOCK_DGRAM, protocol).close()
    except OSError as error:
        for guest, protocols in MUST_HAVE.items():
            if os.environ.get(guest) and protocol in protocols:
                raise
        pytest.skip(f"this kernel has no {MODULES[protocol]} ({error})")
