"""The other end of a CAN bus: can-utils, and a raw socket for the frames that
can-utils cannot send."""

from __future__ import annotations

import socket
import struct
import subprocess

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
