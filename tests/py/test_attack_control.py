"""Attacks on the control socket while scripts receive: whoever asks properly is
answered all the while, memory is bounded, and no frame is lost."""

from __future__ import annotations

import json
import os
import random
import socket
from collections.abc import Callable, Iterator

import pytest
from attack import (
    descriptor_count,
    memory_kib,
    target,  # noqa: F401
    write_until_full,
)
from control import Client, wait_until
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

SEED = int(os.environ.get("AWAITD_SEED", random.SystemRandom().randrange(2**31)))
REQUESTS = 10_000
# What may come on top by an attack, beside the rings, which are touched to their
# full depth in time (the longer a test takes the more, up to 10 MiB): malloc
# keeps what it once had. A request that leaked its 16 KiB buffer, or its JSON,
# 10,000 times over would be 160 MiB.
GROWTH_KIB = 8 * 1024
# Enough of them that the smallest buffer of each client, 4 KiB, would be 10 MiB.
LONG_LINES = 3000
# As above, with the rings, and what the server allows one client to leave unread:
# 64 KiB and one answer, twice that in malloc's hands; with 64 of them.
UNREAD_CLIENTS = 64
UNREAD_KIB = GROWTH_KIB + UNREAD_CLIENTS * 512

COMMANDS = ["status", "devices", "queues", "scripts", "metrics", "log", "dump",
            "send", "commands", "reload", "restart", "stop"]
KEYS = ["command", "id", "device", "frame", "filters", "lines", "follow", "to",
        "script", "openmetrics"]
HUGE = [10**400, -(10**400), 2**63, -(2**63) - 1, 1e308, 0.1]


# ---- what is malformed ----
#
# Each makes one line, without its end, that is no request a client could mean:
# it has to be refused.


def truncated(dice: random.Random) -> bytes:
    """A request without its last bytes."""
    whole = json.dumps(
        {"command": dice.choice(COMMANDS), "id": dice.random(), "device": "bus"}
    ).encode()
    return whole[: dice.randrange(1, len(whole))]


def wrong_type(dice: random.Random) -> bytes:
    """Something else than a command's name, or than an object."""
    value = dice.choice([None, True, 7, [], {}, ["status"], {"a": 1}])
    if dice.randrange(2):
        return json.dumps(value if value != {} else []).encode()
    return json.dumps({"command": value}).encode()


def unknown(dice: random.Random) -> bytes:
    """A command, or a key, that there is not."""
    name = "".join(dice.choices("abcdefghij-_ ", k=dice.randrange(1, 40)))
    if dice.randrange(2):
        return json.dumps({"command": f"x{name}"}).encode()
    command = dice.choice(COMMANDS)
    return json.dumps({"command": command, f"x{name}": 1}).encode()


def huge_number(dice: random.Random) -> bytes:
    """Where a number is wanted, or a name."""
    number = dice.choice(HUGE)
    return dice.choice([
        {"command": "log", "lines": -abs(number) - 1},
        {"command": "dump", "device": number},
        {"command": "dump", "device": "bus",
         "filters": [{"can_id": abs(number) + 2**70, "can_mask": 7}]},
        {"command": "send", "device": "bus", "frame": number},
        {"command": number},
    ]).__repr__().replace("'", '"').encode()  # fmt: skip


def nested(dice: random.Random) -> bytes:
    depth = dice.randrange(2100, 5000)
    opening = dice.choice([b"[", b'{"command":'])
    return (opening * depth)[:16_000]


def no_text(dice: random.Random) -> bytes:
    """Bytes that are no UTF-8, within a request or instead of one."""
    wrong = dice.choice([b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80"])
    if dice.randrange(2):
        return b'{"command": "status", "id": "' + wrong + b'"}'
    return wrong + dice.randbytes(30).replace(b"\n", b"").replace(b"\0", b"")


def flipped(dice: random.Random) -> bytes:
    """A request with a bit of its structure turned over."""
    line = bytearray(b'{"command": "status"}')
    line[dice.choice([0, 1, 10, 12, len(line) - 1])] ^= 1 << dice.randrange(5)
    # Blanks and ends of lines would make another request of it, or none.
    return bytes(line).replace(b"\n", b"?").replace(b"\0", b"?")


def wrong_version(dice: random.Random) -> bytes:
    """As if the protocol were another one."""
    return dice.choice([
        b'{"protocol": 2, "command": "status"}',
        b'{"jsonrpc": "2.0", "method": "status", "id": 1}',
        b"GET /metrics HTTP/1.1", b"\x16\x03\x01\x02", b"status",
    ])  # fmt: skip


MAKERS: list[Callable[[random.Random], bytes]] = [
    truncated, wrong_type, unknown, huge_number, nested, no_text, flipped,
    wrong_version,
]  # fmt: skip


def malformed(dice: random.Random) -> Iterator[bytes]:
    """Lines with their ends, each of which is to be refused."""
    while True:
        make = dice.choice(MAKERS)
        line = make(dice)
        if line.strip(b" \t\r") and len(line) < 16_000:
            yield line + dice.choice([b"\n", b"\n", b"\0"])


def refuse_one(client: Client, line: bytes) -> None:
    client.write(line)
    text = client.line(line[-1:])
    assert text is not None, f"seed {SEED}: {line!r} ended the connection"
    answer = json.loads(text)
    assert answer["ok"] is False, f"seed {SEED}: {line!r}: {answer}"
    assert answer["error"]["code"] and answer["error"]["text"]


def test_10000_malformed_requests_are_each_refused(target):
    print(f"AWAITD_SEED={SEED}")
    lines = malformed(random.Random(SEED))
    target.start()
    client = target.connect()
    for _ in range(REQUESTS // 10):  # then malloc has what it needs
        refuse_one(client, next(lines))
    before_kib = memory_kib(target.pid, "RssAnon")
    for number in range(REQUESTS // 10, REQUESTS):
        refuse_one(client, next(lines))
        if number % 500 == 0:
            assert target.watcher.get("status")["exact"]
    assert memory_kib(target.pid, "RssAnon") - before_kib < GROWTH_KIB
    target.go_on()
    target.stop()


def test_3000_lines_of_a_megabyte_end_their_connections_with_a_reason(target):
    target.start()
    for number in range(LONG_LINES):
        if number == LONG_LINES // 10:  # malloc has what it needs
            before_kib = memory_kib(target.pid, "RssAnon")
            descriptors = descriptor_count(target.pid)
        client = target.connect()
        try:
            client.write(b'{"command": "' + b"x" * (1 << 20))
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was refused before its end
        assert client.receive()["error"]["code"] == "too-long"
        assert client.line() is None
        client.close()
        wait_until(lambda: target.watcher.get("status")["clients"] == 1)
    assert memory_kib(target.pid, "RssAnon") - before_kib < GROWTH_KIB
    assert descriptor_count(target.pid) == descriptors
    target.go_on()
    target.stop()


def test_half_open_clients_hold_up_nobody_at_the_limit(target):
    target.start()
    halves = [target.connect() for _ in range(199)]
    for client in halves:
        client.write(b'{"command": "status", "id": "')
    # Full, but for whoever is in already.
    late = target.connect()
    assert late.receive()["error"]["code"] == "busy"
    target.go_on()
    for number, client in enumerate(halves):
        client.write(b'%d"}\n' % number)
        assert client.receive()["id"] == str(number)
    for client in halves:
        client.close()
    wait_until(lambda: target.watcher.get("status")["clients"] == 1)
    target.stop()


def test_clients_that_never_read_cost_bounded_memory_and_nobody_else(target):
    """Dumps, and floods of requests, of which nothing is read."""
    target.start()
    before_kib = memory_kib(target.pid)
    followers = [target.connect() for _ in range(16)]
    for client in followers:
        client.write(b'{"command": "dump", "device": "bus"}\n')
    askers = [target.connect() for _ in range(UNREAD_CLIENTS - 16)]
    most_kib = 0
    for number, client in enumerate(askers):
        command = ("metrics", "status", "queues", "log")[number % 4]
        write_until_full(client, b'{"command": "%s"}\n' % command.encode() * 50)
        # The next one is served, whatever the last one does not read.
        assert target.watcher.get("status")["exact"]
        most_kib = max(most_kib, memory_kib(target.pid))
    target.go_on()
    wait_until(lambda: target.watcher.get("status")["clients"] == 1)
    most_kib = max(most_kib, memory_kib(target.pid))
    assert most_kib - before_kib < UNREAD_KIB
    assert target.watcher.get("status")["dropped_clients"] == UNREAD_CLIENTS
    target.stop()


def test_200_clients_at_once_are_all_answered_under_traffic(target):
    target.start()
    clients = [target.connect() for _ in range(199)]
    for round_ in range(5):
        for number, client in enumerate(clients):
            command = ("status", "queues", "devices", "scripts")[number % 4]
            request = {"command": command, "id": [round_, number]}
            client.write(json.dumps(request).encode() + b"\n")
        for number, client in enumerate(clients):
            assert client.receive()["id"] == [round_, number]
    target.go_on()
    for client in clients:
        # Without a word, in the middle of something.
        client.write(b'{"command": "queues"}\n{"comm')
        client.socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
        )
        client.close()
    wait_until(lambda: target.watcher.get("status")["clients"] == 1)
    target.stop()
