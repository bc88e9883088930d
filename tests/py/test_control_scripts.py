"""Scripts, seen and told what to do through the control socket."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
from configured import daemon  # noqa: F401
from control import WAIT, connect_soon, control  # noqa: F401
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

STAYS = """
    import asyncio
    from awaitd.devices import bus
    q = bus.queue(name="q")
    print("ready", flush=True)
    await asyncio.Event().wait()
"""
SOON = "reload_settle_s: 0.1\n"


def script_of(client, name: str = "script") -> dict:
    (found,) = (
        it for it in client.get("scripts")["scripts"] if it["name"] == name
    )
    return found


def test_scripts_give_state_and_generation(control):
    control.start(STAYS)
    script = script_of(control.connect())
    assert (script["state"], script["generation"]) == ("running", 1)
    assert script["path"] == str(control.folder / "script.py")


def test_restart_answers_when_it_has_been_started(control):
    process = control.start(STAYS)
    client = control.connect()
    (reply,) = client.get("restart", script="script")["scripts"]
    assert (reply["script"], reply["ok"]) == ("script", True)
    assert reply["generation"] == 2
    process.line("ready")
    assert script_of(client)["generation"] == 2


def test_reload_that_fails_says_where(control):
    control.start(STAYS)
    control.host.write("script.py", "import asyncio\nawait nothing +\n")
    client = control.connect()
    (reply,) = client.get("reload", script="script")["scripts"]
    assert reply["ok"] is False
    assert "script.py:2" in reply["text"]
    script = script_of(client)
    assert (script["state"], script["generation"]) == ("running", 1)


def test_reload_of_what_changed_leaves_what_has_not(control):
    control.start(STAYS, config=SOON)
    client = control.connect()
    path = control.host.write("script.py", STAYS + "    # changed")
    # Of a clock that is ahead: what counts is what the file says.
    ahead = time.time() + 3600
    os.utime(path, (ahead, ahead))
    outcomes = [client.get("reload")["scripts"][0] for _ in range(2)]
    assert [it["generation"] for it in outcomes] == [2, 2]
    assert [it["text"] for it in outcomes] == ["", "unchanged"]


def test_stopped_script_stays_so_until_it_is_named(control):
    process = control.start(STAYS, config=SOON)
    client = control.connect()
    client.get("stop", script="script")
    control.host.write("script.py", STAYS.replace("ready", "again"))
    (reply,) = client.get("reload")["scripts"]
    assert (reply["ok"], reply["text"]) == (True, "stopped")
    assert script_of(client)["state"] == "stopped"
    assert client.get("reload", script="script")["scripts"][0]["ok"]
    process.line("again")


def test_stop_of_one_script_leaves_the_other(control):
    control.start(
        STAYS,
        words=("-s", str(control.host.write("other.py", WAIT))),
    )
    client = control.connect()
    (reply,) = client.get("stop", script="script")["scripts"]
    assert reply["ok"] is True
    assert script_of(client)["state"] == "stopped"
    assert script_of(client, "other")["state"] == "running"


def test_without_a_name_all_scripts_are_meant(control):
    control.start(
        STAYS, words=("-s", str(control.host.write("other.py", WAIT)))
    )
    replies = control.connect().get("restart")["scripts"]
    assert {it["script"] for it in replies} == {"script", "other"}
    assert all(it["ok"] for it in replies)


def test_script_that_there_is_not_is_refused(control):
    control.start()
    client = control.connect()
    for command in ("reload", "restart", "stop"):
        assert client.refused(command, script="nix") == "no-such-script"
        assert client.refused(command, script=3) == "bad-request"


def test_client_that_goes_before_the_answer_harms_nothing(control):
    process = control.start(STAYS)
    client = control.connect()
    client.write(b'{"command": "restart", "script": "script"}\n')
    client.close()
    process.line("ready")
    assert script_of(control.connect())["generation"] == 2


def test_behind_the_last_end_whoever_asks_is_answered_and_nothing_begins(
    host, run_daemon  # noqa: F811
):
    """The script asks as Python ends: main needs no lock of Python's."""
    path = host.folder / "control.sock"
    process = run_daemon(
        "run",
        "-q",
        "--socket",
        path,
        host.write(
            "script.py",
            f"""
            import atexit, json, os, signal, socket
            requests = "".join(
                json.dumps(request) + "\\n"
                for request in (
                    {{"command": "restart", "script": "script"}},
                    {{"command": "reload", "script": "script"}},
                    {{"command": "stop"}},
                    {{"command": "reload"}},
                    {{"command": "scripts"}},
                )
            ).encode()
            print("began", flush=True)

            def ask():
                os.kill(os.getpid(), signal.SIGHUP)
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect({str(path)!r})
                    answers = client.makefile("rb")
                    # At once: Python has 2 s to end.
                    client.sendall(requests)
                    for _ in range(5):
                        os.write(1, answers.readline())

            atexit.register(ask)
            """,
        ),
    )
    assert process.finish() == 0, process.stderr
    began, *lines = process.stdout.splitlines()
    *answers, refused, scripts = map(json.loads, lines)
    assert began == "began" and len(answers) == 3
    for answer in answers:
        (reply,) = answer["result"]["scripts"]
        assert (reply["ok"], reply["text"]) == (False, "the daemon is stopping")
        assert reply["generation"] == 1
    assert refused["error"]["text"] == "the daemon is stopping"
    (script,) = scripts["result"]["scripts"]
    assert (script["state"], script["generation"]) == ("stopped", 1)


# Ends when the one behind it, which is asked to after it, has.
LEISURELY = """
    import asyncio, awaitd, os, sys
    print("began", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("ends", flush=True)
        try:
            while not os.path.exists(sys.argv[1]):
                await asyncio.sleep(0.01)
            for _ in range(3):  # what its loop was told before that is heeded
                await asyncio.sleep(0)
            print("clean", awaitd.script.stopping, flush=True)
        except asyncio.CancelledError:
            print("cut short", flush=True)
"""
BEHIND = """
    import asyncio, pathlib, sys
    print("began", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        pathlib.Path(sys.argv[1]).touch()
        print("ended", flush=True)
"""


@pytest.mark.parametrize("command", ["stop", "restart", "reload"])
@pytest.mark.parametrize(
    "number, status",
    [(signal.SIGTERM, 0), (signal.SIGINT, 130)],
    ids=["sigterm", "ctrl-c"],
)
def test_daemon_stops_behind_a_request_finally_is_not_cut_short(
    daemon, command, number, status  # noqa: F811
):
    daemon.script("first", LEISURELY)
    daemon.script("behind", BEHIND)
    go = daemon.folder / "go"
    process = daemon.start(f"""
        scripts:
          - {{path: first.py, args: [{go}]}}
          - {{path: behind.py, args: [{go}]}}
    """)
    for _ in range(2):
        process.line("began")
    client = connect_soon(daemon.socket)
    client.write(b'{"command": "%s", "script": "first"}\n' % command.encode())
    process.line("first: ends")
    process.signal(number)
    (reply,) = client.receive()["result"]["scripts"]
    assert (reply["ok"], reply["text"]) == (False, "the daemon is stopping")
    client.close()
    assert process.finish() == status, process.stderr
    assert "first: clean stop" in process.stdout
    assert "cut short" not in process.stdout


def test_restart_behind_a_stop_keeps_the_queues(daemon):  # noqa: F811
    daemon.script("one", """
        import asyncio, awaitd
        q = awaitd.device("bus").queue()
        if awaitd.script.start_reason == "start":
            await awaitd.device("bus").send(awaitd.CanFrame(0x123))
        print("pending", q.qsize(), flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            print("ends", flush=True)
            while awaitd.script.stopping == "stop":
                await asyncio.sleep(0.01)
    """)
    process = daemon.start("""
        devices: [{name: bus, driver: virtual, receive_own: true}]
        scripts: [{path: one.py}]
    """)
    process.line("pending")
    clients = [connect_soon(daemon.socket) for _ in range(2)]
    clients[0].write(b'{"command": "stop", "script": "one"}\n')
    process.line("ends")
    clients[1].write(b'{"command": "restart", "script": "one"}\n')
    assert process.line("pending") == "pending 1"
    for client in clients:
        client.close()


def test_second_ctrl_c_cancels_also_what_was_ending_before_the_first(
    daemon,  # noqa: F811
):
    daemon.script("first", LEISURELY)
    daemon.script("behind", BEHIND)
    process = daemon.start(f"""
        scripts:
          - {{path: first.py, args: [{daemon.folder / "never"}]}}
          - {{path: behind.py, args: [{daemon.folder / "go"}]}}
    """)
    for _ in range(2):
        process.line("began")
    client = connect_soon(daemon.socket)
    client.write(b'{"command": "stop", "script": "first"}\n')
    process.line("first: ends")
    process.signal(signal.SIGINT)
    process.line("behind: ended")
    time.sleep(0.6)  # those that come closer together are one
    process.signal(signal.SIGINT)
    process.line("cancelled again", stream="stderr")
    process.line("first: cut short")
    assert process.finish() == 130
    client.close()
