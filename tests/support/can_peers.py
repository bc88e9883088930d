"""The other end of a CAN bus: can-utils, and a raw socket for the frames that
can-utils cannot send."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from process import Process

# As in linux/can.h.
EXTENDED = 0x80000000
ERROR = 0x20000000

PROBE_ID = 0x7FE


def ip(*arguments: str) -> None:
    """iproute2's ip; of root, in the guest."""
    subprocess.run(["ip", *arguments], check=True, timeout=10)


def cansend(interface: str, *frames: str) -> None:
    for frame in frames:
        subprocess.run(["cansend", interface, frame], check=True, timeout=10)


def cangen_command(interface: str, count: int) -> list[str]:
    """`count` frames as fast as they go; data counts up, little-endian."""
    command = f"cangen {interface} -g 0 -n {count} -I i -L 8 -D i"
    return command.split()


def send_raw(
    interface: str, can_id: int, data: bytes, raw_dlc: int = 0
) -> None:
    """One classic frame, with the flag bits and the raw DLC as given."""
    frame = struct.pack("=IB2xB8s", can_id, len(data), raw_dlc, data)
    with socket.socket(
        socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW
    ) as sender:
        sender.bind((interface,))
        sender.send(frame)


class Candump:
    """`candump -L` on an interface, known to listen."""

    def __init__(self, process: Process, interface: str) -> None:
        self.process = process
        probe = f"{PROBE_ID:03X}#"
        process.line_after(lambda: send_raw(interface, PROBE_ID, b""), probe)

    @staticmethod
    def command(interface: str) -> list[str]:
        return ["candump", "-L", interface]

    def frame(self) -> str:
        """The next frame, as `123#0102`."""
        while True:
            frame = self.process.line().split()[2]
            if not frame.startswith(f"{PROBE_ID:03X}#"):
                return frame


def link(interface: str) -> dict[str, Any]:
    """What `ip` says about it, with what CAN's part of the link says in
    ["linkinfo"]["info_data"]."""
    shown = subprocess.run(
        ["ip", "-json", "-details", "link", "show", interface],
        check=True,
        timeout=10,
        stdout=subprocess.PIPE,
    )
    return dict(json.loads(shown.stdout)[0])


def wait_for_listener(interface: str, protocol: str) -> None:
    """Returns when a socket of `protocol` ("raw", "isotp", "j1939"…) takes
    frames from the interface, as the kernel lists them: can-utils' programs do
    not say when they are ready."""
    deadline = time.monotonic() + 20
    pause = threading.Event()
    while not any(
        {interface, protocol} <= set(line.split())
        for file in Path("/proc/net/can").glob("rcvlist_*")
        for line in file.read_text(encoding="ascii").splitlines()
    ):
        assert time.monotonic() < deadline, f"no {protocol} on {interface}"
        pause.wait(0.01)
