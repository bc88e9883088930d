"""A reload that must close a device before it opens it anew: who uses it is ended
first, and what others ask for meanwhile."""

from __future__ import annotations

import json
import socket

import pytest
from configured import daemon  # noqa: F401
from control import Client, connect_soon, wait_until
from hosted import host  # noqa: F401
from ports import free_port
from process import Process

pytestmark = pytest.mark.daemon

# Holds a queue on the device, from when the first file is there until after the
# second one is.
LEISURELY = """
    import asyncio, awaitd, os, sys, time
    print("begins", flush=True)
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.01)
    queue = awaitd.device("net").queue(name="q")
    print("listens", awaitd.script.start_reason, flush=True)
    try:
        while True:
            await queue.get()
            print("got", flush=True)
    finally:
        print("ends", awaitd.script.stopping, flush=True)
        while not os.path.exists(sys.argv[2]):
            await asyncio.sleep(0.01)
"""


class TwoUsers:
    """A daemon with a device whose address is its own alone, and two scripts
    that use it."""

    def __init__(self, daemon) -> None:
        self.daemon = daemon
        self.port = free_port()
        self.clients: list[Client] = []
        daemon.script("one", LEISURELY)
        daemon.script("two", LEISURELY)

    def start(self, *begun: str) -> Process:
        """These need not wait for anything to begin."""
        for name in begun:
            self.let(name, "begin")
        process = self.daemon.start(self.text(self.port, 1000))
        for _ in begun:
            process.line("listens start")
        return process

    def text(self, port: int, payload: int) -> str:
        args = "{name: %s, path: %s.py, args: [%s-begin, %s-end]}"
        names = [
            args % (name, name, *[self.daemon.folder / name] * 2)
            for name in ("one", "two")
        ]
        return f"""
            devices:
              - name: net
                driver: udp
                bind: "127.0.0.1:{port}"
                max_payload: {payload}
            scripts: [{", ".join(names)}]
        """

    def let(self, name: str, what: str) -> None:
        """"begin" or "end": what it waits for."""
        (self.daemon.folder / f"{name}-{what}").touch()

    def ask(self, command: str, **more) -> Client:
        """Whose answer may be long in coming."""
        client = connect_soon(self.daemon.socket)
        self.clients.append(client)
        asked = json.dumps({"command": command, **more})
        client.write(asked.encode() + b"\n")
        return client

    def reload(self, port: int | None = None) -> Client:
        self.daemon.write(self.text(port or self.port, 500))
        return self.ask("reload")

    def send(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.sendto(b"x", ("127.0.0.1", self.port))

    def close(self) -> None:
        for client in self.clients:
            client.close()


@pytest.fixture
def users(daemon):  # noqa: F811
    users = TwoUsers(daemon)
    yield users
    users.close()


def test_device_that_must_be_closed_first_is_found_by_one_more_meanwhile(
    daemon, users  # noqa: F811
):
    process = users.start("one")
    reload = users.reload()
    process.line("one: ends restart")
    users.let("two", "begin")
    process.line("two: listens start")
    users.let("one", "end")
    # And not as its device is closed under it.
    assert process.line("two: ends") == "two: ends restart"
    users.let("two", "end")
    replies = reload.receive()["result"]["scripts"]
    assert {(it["script"], it["ok"], it["generation"]) for it in replies} == {
        ("one", True, 2),
        ("two", True, 2),
    }
    for _ in range(2):
        process.line("listens restart")
    users.send()
    for _ in range(2):
        process.line("got")
    daemon.stop()


def stopped_two(
    users: TwoUsers, when: str, port: int | None = None
) -> Client:
    """Starts a reload, and ends `two` for a stop; the reload, under way."""
    process = users.daemon.process
    stop = users.ask("stop", script="two") if when == "before" else None
    if stop:
        process.line("two: ends stop")
    reload = users.reload(port)
    for _ in range(1 if stop else 2):
        process.line("ends restart")
    if when == "parked":
        looks = users.ask("commands")
        looks.receive()
        users.let("two", "end")
        wait_until(
            lambda: looks.get("scripts")["scripts"][1]["state"] == "stopped"
        )
    stop = stop or users.ask("stop", script="two")
    if when == "ending":
        stop.get("commands")  # which has come behind it
    users.let("two", "end")
    (reply,) = stop.receive()["result"]["scripts"]
    assert (reply["ok"], reply["generation"]) == (True, 1)
    return reload


STOPPED = pytest.mark.parametrize("when", ["before", "ending", "parked"])


@STOPPED
def test_script_stopped_as_its_device_is_opened_anew_stays_so(
    daemon, users, when  # noqa: F811
):
    process = users.start("one", "two")
    reload = stopped_two(users, when)
    users.let("one", "end")
    replies = reload.receive()["result"]["scripts"]
    assert {(it["script"], it["ok"], it["text"]) for it in replies} == {
        ("one", True, ""),
        ("two", True, "stopped"),
    }
    process.line("one: listens restart")
    scripts = users.ask("scripts").receive()["result"]["scripts"]
    assert [it["state"] for it in scripts] == ["running", "stopped"]
    daemon.stop()
    assert process.stdout.count("two: begins") == 1


@STOPPED
def test_script_stopped_as_its_device_cannot_be_changed_stays_so(
    daemon, users, when  # noqa: F811
):
    process = users.start("one", "two")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        reload = stopped_two(users, when, other.getsockname()[1])
        users.let("one", "end")
        assert "in use" in reload.receive()["error"]["text"]
    process.line("one: listens restart")
    daemon.stop()
    assert process.stdout.count("two: begins") == 1
