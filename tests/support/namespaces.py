"""Two network namespaces with an Ethernet cable between them.

    with veth_pair() as pair:
        with pair.near:             # this thread is in there, and what it opens
            device = awaitd.open({"driver": "packet", "interface": "near0"})

`near0` is in the namespace `near`, `far0` in `far`. Nothing but the test sends:
no IPv6, no ARP, no multicast. They go, with all that is in them, at the end.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

SO_RCVBUFFORCE = 33
ETH_P_ALL = 3
DEADLINE_S = 10.0
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def _enter(fd: int) -> None:
    if _libc.setns(fd, 0) < 0:
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    """As a context: the calling thread is in it, and what it starts."""

    def __init__(self, name: str) -> None:
        self.name = name
        run("ip", "netns", "add", name)
        self.ip("link", "set", "lo", "up")
        for family in ("all", "default"):
            run("ip", "netns", "exec", name, "sysctl", "-qw",
                f"net.ipv6.conf.{family}.disable_ipv6=1")

    def ip(self, *words: str) -> str:
        return run("ip", "-n", self.name, *words)

    def link(self, interface: str) -> dict[str, Any]:
        """What `ip link` tells of an interface, its counters too."""
        (found,) = json.loads(
            self.ip("-j", "-d", "-s", "link", "show", interface))
        assert isinstance(found, dict)
        return found

    def __enter__(self) -> Namespace:
        self._before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        inside = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        _enter(inside)
        os.close(inside)
        return self

    def __exit__(self, *_: object) -> None:
        _enter(self._before)
        os.close(self._before)

    def remove(self) -> None:
        run("ip", "netns", "delete", self.name)


def mac(host: int) -> str:
    return f"02:00:00:00:00:{host:02x}"


def _raw_socket(
    space: Namespace, interface: str, buffer_bytes: int
) -> socket.socket:
    with space:
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer_bytes)
    raw.bind((interface, ETH_P_ALL))
    raw.settimeout(DEADLINE_S)
    return raw


class Pair:
    """near0 in `near`, far0 in `far`."""

    def __init__(self, near: Namespace, far: Namespace) -> None:
        self.near, self.far = near, far
        self.make()

    def make(self) -> None:
        """Also after a removal."""
        self.near.ip("link", "add", "near0", "type", "veth",
                     "peer", "name", "far0", "netns", self.far.name)
        for space, interface, host in ((self.near, "near0", 1),
                                       (self.far, "far0", 2)):
            space.ip("address", "add", f"192.0.2.{host}/24",
                     "broadcast", "192.0.2.255", "dev", interface)
            space.ip("link", "set", interface, "address", mac(host), "up")
            # Nobody has to be asked for.
            space.ip("neigh", "replace", f"192.0.2.{3 - host}", "lladdr",
                     mac(3 - host), "dev", interface)
        self._wait_until_it_carries()

    def _wait_until_it_carries(self) -> None:
        """The kernel lets nothing out before it has seen the carrier, some
        time after both ends were taken up."""
        deadline = time.monotonic() + DEADLINE_S
        pause = threading.Event()
        for space, interface in ((self.near, "near0"), (self.far, "far0")):
            while space.link(interface)["operstate"] != "UP":
                assert time.monotonic() < deadline, "the cable carries nothing"
                pause.wait(0.005)

    def take_down(self) -> None:
        """At the near end."""
        self.near.ip("link", "set", "near0", "down")

    def take_up(self) -> None:
        self.near.ip("link", "set", "near0", "up")
        self.near.ip("neigh", "replace", "192.0.2.2", "lladdr", mac(2), "dev",
                     "near0")
        self._wait_until_it_carries()

    def throttle(self) -> None:
        """A byte a millisecond leaves near0; the rest waits."""
        run("tc", "-n", self.near.name, "qdisc", "replace", "dev", "near0",
            "root", "tbf", "rate", "8kbit", "burst", "2kb", "limit", "100mb")

    def unplug(self) -> None:
        self.near.ip("link", "delete", "near0")

    def near_socket(self, buffer_bytes: int = 16 << 20) -> socket.socket:
        """A raw socket on near0."""
        return _raw_socket(self.near, "near0", buffer_bytes)

    def far_socket(self, buffer_bytes: int = 16 << 20) -> socket.socket:
        """A raw socket on far0."""
        return _raw_socket(self.far, "far0", buffer_bytes)


def refusal() -> str | None:
    """Why this process can have no namespaces of its own, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root: packet and udp are NOT tested"
    probe = subprocess.run(["unshare", "--net", "true"], capture_output=True,
                           text=True, check=False)
    if probe.returncode:
        return f"no network namespaces here: {probe.stderr.strip()}"
    return None


@contextlib.contextmanager
def veth_pair() -> Iterator[Pair]:
    stem = f"awaitd-{os.getpid()}-{next(_numbers)}"
    with contextlib.ExitStack() as stack:
        spaces = []
        for side in ("near", "far"):
            spaces.append(Namespace(f"{stem}-{side}"))
            stack.callback(spaces[-1].remove)
        yield Pair(*spaces)
