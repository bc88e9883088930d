"""What is sent to the control socket, right and wrong, is answered."""

from __future__ import annotations

import json
import os

import pytest
from control import control, wait_until  # noqa: F401
from hosted import host  # noqa: F401
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.daemon


@pytest.fixture
def client(control):
    control.start()
    return control.connect()


def test_status_names_protocol_and_version(client):
    status = client.get("status")
    assert status["protocol"] == 1
    assert status["version"] == "0.1.0"
    assert status["devices"] == 1
    assert status["exact"] is True


def test_id_of_any_type_comes_back(client):
    for identity in (7, "seven", None, [1, {"a": 2}]):
        assert client.ask("status", id=identity)["id"] == identity
    assert "id" not in client.ask("status")


def test_answers_come_in_order_of_the_requests(client):
    count = 500
    requests = [
        json.dumps({"command": "commands", "id": number})
        for number in range(count)
    ]
    client.write("\n".join(requests).encode() + b"\n")
    assert [client.receive()["id"] for _ in range(count)] == list(range(count))


def test_requests_ended_by_nul_are_answered_with_nul(client):
    client.write(b'{"command": "status", "id": 1}\0')
    assert json.loads(client.line(b"\0"))["id"] == 1
    client.write(b'{"command": "status", "id": 2}\n')
    assert json.loads(client.line(b"\n"))["id"] == 2


def test_a_request_may_come_byte_by_byte(client):
    for letter in b'{"command": "status"}\r\n':
        client.write(bytes([letter]))
    assert client.receive()["ok"]


def test_empty_lines_are_passed_over(client):
    client.write(b"\n \r\n\0" * 200 + b'{"command": "status"}\n')
    assert client.receive()["ok"]


def test_commands_that_are_listed_exist(client):
    for name in client.get("commands")["commands"]:
        answer = client.ask(name)
        assert answer["ok"] or answer["error"]["code"] == "bad-request"


@pytest.mark.parametrize(
    "request_, code",
    [
        ({}, "bad-request"),
        ({"command": 3}, "bad-request"),
        ({"command": "sta\0tus"}, "bad-request"),
        ({"command": "fly"}, "unknown-command"),
        ({"command": "status", "verbos": True}, "bad-request"),
        ({"command": "dump"}, "bad-request"),
        ({"command": "dump", "device": "nix"}, "no-such-device"),
        ({"command": "dump", "device": "bus", "filters": {}}, "bad-request"),
        (
            {"command": "dump", "device": "bus", "filters": [{"can_id": 1}]},
            "bad-request",
        ),
        ({"command": "send", "device": "bus"}, "bad-request"),
        ({"command": "log", "lines": -1}, "bad-request"),
        ({"command": "log", "follow": 1}, "bad-request"),
        ({"command": "metrics", "openmetrics": "yes"}, "bad-request"),
    ],
    ids=str,
)
def test_wrong_request_is_refused(client, request_, code):
    client.write(json.dumps(request_).encode() + b"\n")
    answer = client.receive()
    assert (answer["ok"], answer["error"]["code"]) == (False, code)
    assert client.get("status")["exact"]


def test_key_given_twice_is_refused(client):
    client.write(b'{"command": "status", "command": "log"}\n')
    assert client.receive()["error"]["code"] == "bad-request"


@settings(
    max_examples=200,
    deadline=None,
    # Too slow: a machine that does something else meanwhile.
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],
)
@given(
    st.one_of(
        st.binary(min_size=1, max_size=300),
        st.text(min_size=1, max_size=100).map(str.encode),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=9),
            lambda inner: st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["command", "id", "device", "lines", "frame"]),
                inner,
                max_size=4,
            ),
            max_leaves=12,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_whatever_comes_is_answered_and_the_next_request_too(client, line):
    line = line.replace(b"\n", b" ").replace(b"\0", b" ")
    client.write(line + b"\n")
    if line.strip(b" \t\r"):
        assert client.receive()["ok"] is False
    assert client.ask("commands", id="after")["id"] == "after"


def test_deeply_nested_request_is_refused(client):
    client.write(b"[" * 8000 + b"\n")
    assert client.receive()["error"]["code"] == "bad-request"
    assert client.get("status")["exact"]


def test_request_that_is_too_long_is_refused_and_is_the_last(client):
    client.write(b'{"command": "' + b"x" * 16384)
    assert client.receive()["error"]["code"] == "too-long"
    assert client.line() is None


def test_request_that_is_too_long_ends_what_the_client_follows(client):
    assert client.get("dump", device="bus") == {"follows": True}
    client.write(b'{"command": "' + b"x" * 16384)
    assert client.receive()["error"]["code"] == "too-long"
    assert client.line() is None


def test_queues_give_the_ledger_of_each(control):
    control.start(
        """
        import asyncio, awaitd
        from awaitd.devices import bus
        q = bus.queue(name="fast", depth=4)
        for n in range(6):
            await bus.send(awaitd.CanFrame(0x100 + n))
        while q.stats().received < 6:
            await asyncio.sleep(0)
        print("ready", flush=True)
        await asyncio.Event().wait()
        """,
        devices=("bus=virtual:can,receive_own=yes",),
    )
    (queue,) = control.connect().get("queues")["queues"]
    assert queue["device"] == "bus"
    assert (queue["name"], queue["script"]) == ("fast", "script")
    assert (queue["received"], queue["pending"]) == (6, 4)
    assert queue["dropped"]["overflow"] == 2
    assert (queue["depth"], queue["high_water"]) == (4, 4)
    assert queue["overflow"] == "drop-newest"
    assert queue["exact"] is True


def test_devices_give_link_and_what_was_sent(control):
    control.start(
        """
        import asyncio, awaitd
        from awaitd.devices import bus
        await bus.send(awaitd.CanFrame(0x100))
        print("ready", flush=True)
        await asyncio.Event().wait()
        """
    )
    (device,) = control.connect().get("devices")["devices"]
    assert (device["name"], device["driver"]) == ("bus", "virtual")
    assert device["link"]["state"] == "up"
    assert device["send"]["sent"] == 1
    assert device["send"]["exact"] is True


def test_what_is_not_there_is_refused_with_what_is(control):
    control.start(devices=("bus=virtual:can", "other=virtual:can"))
    client = control.connect()
    for request, text in (
        ({"command": "dump", "device": "nix"},
         'there is no device "nix": there are bus, other'),
        ({"command": "reload", "script": "nix"},
         'there is no script "nix": there are script'),
    ):
        assert client.ask(**request)["error"]["text"] == text


def test_status_counts_scripts_and_those_that_run(control):
    control.start(words=("-s", control.host.write("ends.py", "raise SystemExit(3)")))
    client = control.connect()
    wait_until(lambda: client.get("status")["running"] == 1)
    assert client.get("status")["scripts"] == 2


def test_h14_control_answers_while_a_script_holds_the_interpreter(control):
    """The script is inside a C function that keeps Python's lock: the shell
    that the function waits for says so, and goes on when this test lets it,
    which is after the answers."""
    fifo = control.folder / "fifo"
    os.mkfifo(fifo)
    process = control.start(
        f"""
        import asyncio, ctypes
        from awaitd.devices import bus
        q = bus.queue()
        # PyDLL keeps the lock during the call.
        libc = ctypes.PyDLL(None)
        libc.system(b"echo inside; read word < {fifo}; echo $word")
        print("outside", flush=True)
        """,
        ready="inside",
    )
    client = control.connect()
    assert client.get("status")["exact"]
    assert len(client.get("queues")["queues"]) == 1
    assert client.get("scripts")["scripts"][0]["state"] == "running"
    assert "awaitd_build_info" in client.get("metrics")["text"]
    assert client.get("send", device="bus", frame="123#01") == {"sent": True}
    assert "outside" not in process.stdout
    with open(fifo, "w") as release:
        release.write("let go\n")
    process.line("let go")
    process.line("outside")
    assert process.finish() == 0, process.stderr
