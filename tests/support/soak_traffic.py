"""Who sends to the daemon of a soak, from threads of this process, with counts
that are exact: what the kernel or the daemon has taken, and nothing else."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from control import Client
from namespaces import SO_RCVBUFFORCE, Namespace, mac

STEP_S = 0.01
SERVICE = ("198.51.100.1", 5005)  # the daemon's, an address of `lo`
ETHERTYPE = bytes.fromhex("88b5")  # for experiments


class Sender:
    """Calls `burst` again and again; it returns how many were accepted."""

    def __init__(self, burst: Callable[[int], int]) -> None:
        self.sent = 0
        self.error: BaseException | None = None
        self.held = threading.Lock()  # whoever has it holds the sender up
        self._burst = burst
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.wait(STEP_S):
                with self.held:
                    self.sent += self._burst(self.sent)
        except BaseException as error:  # told by stop()
            self.error = error

    def stop(self) -> int:
        """How many there were."""
        self._stop.set()
        self._thread.join()
        if self.error:
            raise self.error
        return self.sent


def bus_sender(path: Path) -> Sender:
    """Frames with eight ids, by the control socket: each is answered."""
    client = Client(path)

    def burst(number: int) -> int:
        requests = [
            {"command": "send", "device": "bus",
             "frame": f"{0x100 + n % 8:03X}#{n:016X}"}
            for n in range(number, number + 10)
        ]  # fmt: skip
        client.write(b"".join(
            json.dumps(request).encode() + b"\n" for request in requests))
        return sum(client.receive()["ok"] for _ in requests)

    return Sender(burst)


def _accepted(send: Callable[[bytes], int], number: int, count: int) -> int:
    """How many of so many sends the kernel took."""
    taken = 0
    for n in range(number, number + count):
        try:
            send(n.to_bytes(8, "big") + bytes(60))
            taken += 1
        except OSError:  # no link, no address
            pass
    return taken


def net_sender(space: Namespace) -> Sender:
    with space:
        to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    return Sender(
        lambda number: _accepted(
            lambda data: to.sendto(data, SERVICE), number, 20
        )
    )


def wire_sender(space: Namespace) -> Sender:
    with space:
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind(("far0", 0))
    head = bytes.fromhex((mac(1) + mac(2)).replace(":", "")) + ETHERTYPE

    def send(data: bytes) -> int:
        try:
            return raw.send(head + data)
        except OSError:
            raw.bind(("far0", 0))  # it may be another one by now
            raise

    return Sender(lambda number: _accepted(send, number, 20))


class Sink:
    """Counts the datagrams that come to a port of the namespace."""

    def __init__(self, space: Namespace) -> None:
        with space:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.count = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._socket.recv(2048) != b"the end":
            self.count += 1

    def stop(self, space: Namespace) -> int:
        """How many there were, once all that were sent before have come."""
        with space:
            last = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        last.sendto(b"the end", ("127.0.0.1", self.port))
        self._thread.join(10)
        last.close()
        self._socket.close()
        return self.count


def udp_seen(space: Namespace) -> int:
    """Datagrams that the kernel had for a socket of the namespace."""
    with space:
        text = Path("/proc/thread-self/net/snmp").read_text()
    names, values = [
        line.split()[1:] for line in text.splitlines() if line[:4] == "Udp:"
    ]
    found = dict(zip(names, map(int, values)))
    return found["InDatagrams"] + found["RcvbufErrors"]


def wire_seen(space: Namespace) -> int:
    """Frames that came in at near0."""
    return int(space.link("near0")["stats64"]["rx"]["packets"])
