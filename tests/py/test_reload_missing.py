"""A reload that adds a device which cannot be had: not without a drop-in of the
service, or not yet."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from configured import Configured, daemon, reload  # noqa: F401
from hosted import host  # noqa: F401
from namespaces import Pair
from process import Process

pytestmark = pytest.mark.daemon

PORT = 5005

STAYS = """
    import asyncio
    print("began", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("ended", flush=True)
"""

ONE = "scripts: [{path: one.py}]"

# ---- for want of a drop-in ----


@pytest.fixture
def start_shut_in(
    daemon: Configured,  # noqa: F811
    start_process: Callable[..., Process],
    awaitd_binary: Path,
) -> Callable[[str, str], Process]:
    """start(option, text) -> Process: of a service that may have no AF_PACKET,
    with this configuration."""

    def start(option: str, text: str) -> Process:
        shut_in = ["setpriv", "--bounding-set=-net_raw"]
        daemon.script("one", STAYS)
        daemon.write(text)
        daemon.process = start_process(
            *(shut_in if os.geteuid() == 0 else []),
            *(awaitd_binary, "run", option, "--socket", daemon.socket),
            *("-c", daemon.file),
        )
        return daemon.process

    return start


@pytest.mark.parametrize(
    ("option", "folder", "unit"),
    [
        ("--service", "awaitd.service.d", "awaitd.service"),
        ("--service=awaitd@rig.service", "awaitd@.service.d",
         "awaitd@rig.service"),
    ],
)
def test_added_device_without_its_drop_in_is_refused_and_names_it(
    daemon: Configured,  # noqa: F811
    reload: Callable[..., Any],  # noqa: F811
    start_shut_in: Callable[[str, str], Process],
    option: str,
    folder: str,
    unit: str,
) -> None:
    process = start_shut_in(option, ONE)
    process.line("began")
    said = reload(
        "devices: [{name: wire, driver: packet, interface: lo}]\n" + ONE,
        status=1,
    )
    assert "the service lacks a drop-in for a device: its log says" in said
    line = daemon.log("without the drop-in")
    assert "device wire: the service does not allow it" in line
    assert "without the drop-in packet: mkdir -p" in line
    assert f" /etc/systemd/system/{folder}/ " in line
    assert line.endswith(f"systemctl restart {unit}")


def test_refusal_for_want_of_a_drop_in_changes_nothing(
    daemon: Configured,  # noqa: F811
    reload: Callable[..., Any],  # noqa: F811
    start_shut_in: Callable[[str, str], Process],
) -> None:
    daemon.script("two", STAYS)
    process = start_shut_in("--service", ONE)
    process.line("began")
    reload(
        """
        devices:
          - {name: bus, driver: virtual}
          - {name: wire, driver: packet, interface: lo}
        scripts: [{path: two.py}]
        """,
        status=1,
    )
    (reply,) = reload(ONE)["scripts"]
    assert (reply["script"], reply["text"]) == ("one", "unchanged")
    daemon.stop()
    assert process.stdout.splitlines() == ["began", "ended"]
    assert "device bus" not in process.stderr


# ---- not there yet ----

PRINTS = """
    from awaitd.devices import net
    queue = net.queue()
    print("state", net.state, flush=True)
    print("got", (await queue.get()).data, flush=True)
"""

ADDED = """
    devices:
      - {{name: net, driver: udp, bind: "192.0.2.1:%d"{required}}}
    scripts: [{{path: one.py}}, {{path: two.py}}]
""" % PORT


@pytest.fixture
def start_near(
    daemon: Configured, veth: Pair  # noqa: F811
) -> Callable[..., Process]:
    """start(*words) -> Process: where 192.0.2.1 is not there yet."""

    def start(*words: str) -> Process:
        veth.near.ip("address", "del", "192.0.2.1/24", "dev", "near0")
        daemon.script("one", STAYS)
        daemon.script("two", PRINTS)
        with veth.near:
            process = daemon.start(ONE, *words)
        process.line("began")
        return process

    return start


def send_until(process: Process, pair: Pair, text: str) -> str:
    """The line that comes when one of the datagrams from far is received."""
    with pair.far:
        far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with far:
        far.bind(("192.0.2.2", 0))
        return process.line_after(
            lambda: far.sendto(b"hello", ("192.0.2.1", PORT)), text
        )


@pytest.mark.parametrize(
    ("words", "required"),
    [((), ", required: no"), (("--service",), "")],
    ids=["not-required", "service"],
)
def test_added_device_that_is_missing_is_waited_for_and_comes(
    daemon: Configured,  # noqa: F811
    reload: Callable[..., Any],  # noqa: F811
    veth: Pair,
    start_near: Callable[..., Process],
    words: tuple[str, ...],
    required: str,
) -> None:
    process = start_near(*words)
    reload(ADDED.format(required=required))
    told = daemon.log("device net is waited for")
    assert "cannot bind 192.0.2.1" in told
    assert process.line("state") == "two: state waiting"
    veth.near.ip("address", "add", "192.0.2.1/24", "dev", "near0")
    assert send_until(process, veth, "got") == "two: got b'hello'"
    daemon.stop()
    assert process.stdout.count("began") == 1


@pytest.mark.parametrize(
    ("words", "required"),
    [((), ""), (("--service",), ", required: yes")],
    ids=["by-default", "of-a-service"],
)
def test_added_device_that_is_missing_and_required_is_refused(
    daemon: Configured,  # noqa: F811
    reload: Callable[..., Any],  # noqa: F811
    start_near: Callable[..., Process],
    words: tuple[str, ...],
    required: str,
) -> None:
    process = start_near(*words)
    said = reload(ADDED.format(required=required), status=1)
    assert "device net: cannot bind 192.0.2.1" in said
    daemon.stop()
    assert process.stdout.splitlines() == ["began", "ended"]
