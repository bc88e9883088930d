"""What looks at devices and scripts follows a reload that changes them."""

from __future__ import annotations

import os
import signal
import socket

import pytest
from configured import daemon, reload  # noqa: F401
from control import Client, connect_soon, wait_until
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon

WAITS = """
    import asyncio
    print("waits", flush=True)
    await asyncio.Event().wait()
"""

BLOCKS = """
    import asyncio, threading
    def block_here():
        print("blocks", flush=True)
        threading.Event().wait()
    async def main():
        block_here()
    asyncio.run(main())
"""

# Blocks for a while when a frame comes.
BLOCKS_LATER = """
    import asyncio, time
    from awaitd.devices import bus
    queue = bus.queue()
    print("waits", flush=True)
    await queue.get()
    print("got", flush=True)
    time.sleep(2)
    await asyncio.Event().wait()
"""

BUS = "devices: [{name: bus, driver: virtual}]\n"
TWO = "devices: [{name: bus, driver: virtual}, {name: more, driver: virtual}]\n"
ONE = "scripts: [{path: one.py}]\n"


def told(daemon, script: str) -> str:  # noqa: F811
    return daemon.log(f"script {script}: its loop is blocked")


# ---- scripts ----


def test_added_script_prints_with_its_name_and_the_first_one_from_then_on(
    daemon,  # noqa: F811
):
    daemon.script("one", """
        import asyncio, signal
        from awaitd.devices import bus
        queue = bus.queue()
        print("alone", flush=True)
        await queue.get()
        print("not alone", flush=True)
        await asyncio.Event().wait()
    """)
    daemon.script("two", WAITS)
    process = daemon.start(BUS + ONE)
    assert process.line("alone") == "alone"
    daemon.hang_up(BUS + "scripts: [{path: one.py}, {path: two.py}]\n")
    assert process.line("waits") == "two: waits"
    Client(daemon.socket).get("send", device="bus", frame="123#")
    assert process.line("not alone") == "one: not alone"
    process.kill()


def test_what_was_printed_before_another_script_came_stays_in_front(
    daemon, reload  # noqa: F811
):
    daemon.script("one", """
        from awaitd.devices import bus
        print("unflushed")
        queue = bus.queue()
        for _ in range(2):
            await queue.get()
            print("line")
    """)
    daemon.script("two", WAITS)
    process = daemon.start(BUS + ONE, env={"PYTHONUNBUFFERED": ""})
    daemon.log("runs one.py")
    client = connect_soon(daemon.socket)
    wait_until(lambda: client.get("queues")["queues"] != [])
    reload(BUS + "scripts: [{path: one.py}, {path: two.py}]\n")
    process.line("two: waits")
    for _ in range(2):
        client.get("send", device="bus", frame="123#")
    process.line("one: line")
    process.line("one: line")
    lines = process.stdout.splitlines()
    assert lines.index("unflushed") < lines.index("one: line")
    process.kill()


def test_place_of_a_removed_script_prints_with_the_new_name(
    daemon, reload  # noqa: F811
):
    for name in ("one", "two", "three"):
        daemon.script(name, WAITS)
    process = daemon.start("scripts: [{path: one.py}, {path: two.py}]\n")
    process.line("two: waits")
    reload(ONE)
    reload("scripts: [{path: one.py}, {path: three.py}]\n")
    assert process.line("three: waits") == "three: waits"
    process.kill()


def test_added_script_is_watched_for_stalls(daemon):  # noqa: F811
    daemon.script("one", WAITS)
    daemon.script("two", BLOCKS)
    process = daemon.start("stall_ms: 0\n" + ONE)
    process.line("waits")
    daemon.hang_up(
        "stall_ms: 0\n"
        "scripts: [{path: one.py}, {path: two.py, stall_ms: 1000}]\n"
    )
    assert "in block_here" in told(daemon, "two")
    process.kill()


def test_added_script_that_blocks_is_interrupted(daemon):  # noqa: F811
    daemon.script("one", WAITS)
    daemon.script("two", BLOCKS.replace("threading.Event().wait()",
                                        "while True: pass"))
    process = daemon.start("stall_ms: 0\n" + ONE)
    process.line("waits")
    daemon.hang_up(
        "stall_ms: 0\nscripts:\n  - path: one.py\n"
        "  - {path: two.py, stall_ms: 300, stall_kill_s: 1}\n"
    )
    daemon.log("script two: blocked for")
    daemon.log("script two ended with status 130")
    daemon.stop(130)


def test_stall_keys_hold_at_once_and_the_script_is_not_touched(
    daemon, reload  # noqa: F811
):
    daemon.script("one", BLOCKS_LATER)
    process = daemon.start(BUS + "stall_ms: 0\n" + ONE)
    process.line("waits")
    reload(BUS + "stall_ms: 1000\n" + ONE)
    Client(daemon.socket).get("send", device="bus", frame="123#")
    process.line("got")
    told(daemon, "one")
    assert process.stdout.count("waits") == 1
    client = Client(daemon.socket)

    def script() -> dict:
        return client.get("scripts")["scripts"][0]

    # Counted by the thread that was there before.
    wait_until(lambda: script()["turns"]["stalls"] == 1)
    assert script()["generation"] == 1
    process.kill()


def test_hang_up_before_the_scripts_have_begun_is_served_later(
    daemon,  # noqa: F811
):
    daemon.script("one", WAITS)
    daemon.script("two", WAITS)
    daemon.start("scripts: [{path: one.py}]")
    daemon.log("runs one.py")
    daemon.hang_up("scripts: [{path: one.py}, {path: two.py}]")
    daemon.log("script two is started")
    daemon.process.line("two: waits")
    daemon.stop()


# ---- devices ----


def text_of(daemon) -> str:  # noqa: F811
    return Client(daemon.socket).get("metrics")["text"]


def test_metrics_are_those_of_the_present_devices_and_scripts(
    daemon, reload  # noqa: F811
):
    daemon.script("one", WAITS)
    daemon.script("two", WAITS)
    process = daemon.start(BUS + ONE)
    process.line("waits")
    assert 'device="more"' not in text_of(daemon)
    reload(TWO + "scripts: [{path: one.py}, {path: two.py}]\n")
    text = text_of(daemon)
    assert 'device="more"' in text and 'device="bus"' in text
    assert 'awaitd_script_running{script="two"} 1' in text
    reload(TWO.replace("name: bus", "name: other") + ONE)
    text = text_of(daemon)
    assert 'device="other"' in text and 'device="bus"' not in text
    assert 'script="one"' in text and 'script="two"' not in text
    daemon.stop()


class Manager:
    """What the daemon tells systemd."""

    def __init__(self, folder) -> None:
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(os.fspath(self.path))
        self.socket.settimeout(20)

    def hear_of(self, key: str) -> str:
        while True:
            for line in self.socket.recv(4096).decode().splitlines():
                name, _, value = line.partition("=")
                if name == key:
                    return value


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path)
    yield manager
    manager.socket.close()


def test_watchdog_is_fed_over_added_and_removed_devices(
    daemon, reload, manager  # noqa: F811
):
    daemon.script("one", WAITS)
    process = daemon.start(
        BUS + ONE,
        env={"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "100000"},
    )
    process.line("waits")
    for text in (TWO, BUS, TWO.replace("name: bus", "name: other"), TWO):
        reload(text + ONE)
        # Two looks find out, and what came before lies in the socket.
        for _ in range(8):
            assert manager.hear_of("WATCHDOG") == "1"
    daemon.stop()


def test_reload_of_the_configuration_is_told_with_its_beginning_and_end(
    daemon, manager  # noqa: F811
):
    daemon.script("one", WAITS)
    process = daemon.start(
        BUS + ONE, env={"NOTIFY_SOCKET": str(manager.path)}
    )
    process.line("waits")
    manager.hear_of("READY")
    daemon.hang_up(TWO + ONE)
    assert int(manager.hear_of("MONOTONIC_USEC")) > 0
    manager.hear_of("READY")
    daemon.stop()


def test_reload_that_is_refused_at_once_is_told_with_its_beginning_and_end(
    daemon, manager  # noqa: F811
):
    daemon.script("one", WAITS)
    process = daemon.start(
        BUS + ONE, env={"NOTIFY_SOCKET": str(manager.path)}
    )
    process.line("waits")
    manager.hear_of("READY")
    daemon.hang_up("nonsense: yes\n" + ONE)
    assert int(manager.hear_of("MONOTONIC_USEC")) > 0
    manager.hear_of("READY")
    daemon.log("reload failed")
    daemon.stop()


SOUND = "1 script runs, 0 frames received, 0 lost"


@pytest.mark.parametrize(
    "wrong, failed",
    [
        (("1 / 0\n", BUS + ONE), "script one"),
        ((WAITS, "nonsense: yes\n" + ONE), "the configuration"),
    ],
    ids=["script", "configuration"],
)
def test_h35_status_says_that_a_reload_failed_until_one_does_not(
    daemon, manager, wrong, failed  # noqa: F811
):
    daemon.script("one", WAITS)
    process = daemon.start(
        BUS + ONE, env={"NOTIFY_SOCKET": str(manager.path)}
    )
    process.line("waits")
    assert manager.hear_of("STATUS") == SOUND
    script, configuration = wrong
    daemon.script("one", script)
    daemon.hang_up(configuration)
    assert manager.hear_of("STATUS") == f"{SOUND}; reload failed: {failed}"
    daemon.script("one", WAITS)
    daemon.hang_up(BUS + ONE)
    assert manager.hear_of("STATUS") == SOUND
    daemon.stop()


# ---- drop-ins of the configuration ----


def test_reload_reads_the_drop_ins(daemon, reload):  # noqa: F811
    daemon.script("one", WAITS)
    daemon.script("two", WAITS)
    folder = daemon.folder / "conf.d"
    folder.mkdir()
    process = daemon.start(BUS + ONE)
    process.line("waits")
    (folder / "50-more.yaml").write_text(
        "devices: [{name: more, driver: virtual}]\n"
        "scripts: [{path: ../two.py}]\n"
    )
    reload()
    process.line("two: waits")
    client = Client(daemon.socket)
    found = [it["name"] for it in client.get("devices")["devices"]]
    assert found == ["bus", "more"]
    (folder / "50-more.yaml").unlink()
    reload()
    found = [it["name"] for it in client.get("devices")["devices"]]
    assert found == ["bus"]
    assert len(client.get("scripts")["scripts"]) == 1
    daemon.stop()


def test_error_in_a_drop_in_changes_nothing_and_names_its_line(
    daemon, reload  # noqa: F811
):
    daemon.script("one", WAITS)
    (daemon.folder / "conf.d").mkdir()
    process = daemon.start(BUS + ONE)
    process.line("waits")
    path = daemon.folder / "conf.d" / "10-wrong.yaml"
    path.write_text("stop_grace_s: 2\ndevices: [{name: x, driver: none}]\n")
    assert f"{path}:2: " in reload(status=1)
    process.signal(signal.SIGTERM)
    assert process.finish() == 0
