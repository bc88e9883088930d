"""Clients that are slow, silent, gone or too many: nobody waits for them."""

from __future__ import annotations

import json
import re
import socket

import pytest
from control import control, wait_until  # noqa: F401
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

FLOOD = """
    import asyncio, awaitd
    from awaitd.devices import bus
    q = bus.queue(name="own")
    print("ready", flush=True)
    sent = 0
    while True:
        for _ in range(200):
            await bus.send(awaitd.CanFrame(0x100, sent.to_bytes(8, "big")))
            sent += 1
            q.get_nowait() if q.qsize() else None
        await asyncio.sleep(0)
"""
ECHO = ("bus=virtual:can,receive_own=yes",)


def test_client_that_ends_its_half_is_answered(control):
    control.start()
    client = control.connect()
    client.write(b'{"command": "status", "id": 1}\n{"command": "status"}\n')
    client.socket.shutdown(socket.SHUT_WR)
    assert client.receive()["id"] == 1
    assert client.receive()["ok"]
    assert client.line() is None


def test_client_that_ends_its_half_is_answered_what_takes_longer(control):
    process = control.start(
        """
        import asyncio
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.2)
            print("stopped", flush=True)
        """
    )
    client = control.connect()
    client.write(b'{"command": "restart"}\n')
    client.socket.shutdown(socket.SHUT_WR)
    process.line("stopped")
    (reply,) = client.receive()["result"]["scripts"]
    assert (reply["ok"], reply["generation"]) == (True, 2)
    assert client.line() is None


def test_client_with_half_a_request_holds_up_nobody(control):
    control.start()
    half = control.connect()
    half.write(b'{"command": "sta')
    assert control.connect().get("status")["exact"]
    half.write(b'tus"}\n')
    assert half.receive()["ok"]


def test_client_that_hangs_up_in_a_request_is_forgotten(control):
    control.start()
    watcher = control.connect()
    for _ in range(300):
        client = control.connect()
        client.write(b'{"command": "status"')
        client.close()
    wait_until(lambda: watcher.get("status")["clients"] == 1)


def test_two_hundred_clients_are_served_and_one_more_is_told(control):
    control.start()
    clients = [control.connect() for _ in range(200)]
    for number, client in enumerate(clients):
        client.write(json.dumps({"command": "status", "id": number}).encode())
    for client in clients:
        client.write(b"\n")
    for number, client in enumerate(clients):
        assert client.receive()["id"] == number
    # Who follows something keeps its place, however long this takes.
    for client in clients[1:]:
        client.get("log", follow=True)
    assert clients[0].get("status")["clients"] == 200
    late = control.connect()
    assert late.receive()["error"]["code"] == "busy"
    assert late.line() is None
    clients.pop().close()
    wait_until(lambda: clients[0].get("status")["clients"] == 199)
    assert control.connect().get("status")["clients"] == 200


def test_client_that_never_reads_its_answers_is_dropped_with_the_reason(control):
    process = control.start()
    client = control.connect()
    client.socket.setblocking(False)
    request = b'{"command": "metrics"}\n' * 200
    try:
        while True:
            client.socket.send(request)
    except BlockingIOError:
        pass  # Its answers are not read: its requests are not either.
    watcher = control.connect()
    assert watcher.get("status")["exact"]
    line = process.line("client dropped", stream="stderr")
    assert re.search(r"\(process \d+, user \d+\): \d+ bytes wait", line)
    wait_until(lambda: watcher.get("status")["clients"] == 1)
    assert watcher.get("status")["dropped_clients"] == 1


def test_dump_that_is_never_read_loses_its_own_frames_alone(control):
    process = control.start(FLOOD, devices=ECHO)
    sleeper = control.connect()
    sleeper.write(b'{"command": "dump", "device": "bus"}\n')
    process.line("does not read", stream="stderr")
    watcher = control.connect()
    status = watcher.get("status")
    assert status["lossless"] is True
    queues = watcher.get("queues")["queues"]
    assert [queue["script"] for queue in queues] == ["script"]
    assert queues[0]["dropped"]["overflow"] == 0


def test_dump_of_a_client_that_has_gone_leaves_no_queue(control):
    control.start()
    watcher = control.connect()
    for _ in range(40):  # more than may run at once
        client = control.connect()
        assert client.get("dump", device="bus") == {"follows": True}
        client.close()
        wait_until(lambda: not watcher.get("queues")["queues"])


def test_dumps_are_bounded(control):
    control.start()
    for _ in range(16):
        assert control.connect().get("dump", device="bus")
    assert control.connect().refused("dump", device="bus") == "busy"


def test_a_connection_follows_one_thing_and_still_answers(control):
    control.start()
    client = control.connect()
    client.get("dump", device="bus")
    assert client.refused("dump", device="bus") == "busy"
    assert client.refused("log", follow=True) == "busy"
    assert client.get("status")["clients"] == 1
