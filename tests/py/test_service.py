"""What the daemon tells a service manager, which is a socket of the test's."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from control import Client
from hosted import Host, host  # noqa: F401
from process import Process

pytestmark = pytest.mark.daemon

WAIT = """
    import asyncio, os
    print(sorted(set(os.environ) & {"NOTIFY_SOCKET", "WATCHDOG_USEC",
                                    "WATCHDOG_PID", "LISTEN_FDS"}), flush=True)
    from awaitd.devices import bus
    queue = bus.queue()
    await asyncio.Event().wait()
"""


class Manager:
    """Starts the daemon as systemd would, and hears what it tells."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(20)

    def start(
        self, text: str = WAIT, *, watchdog_us: int = 0, grace_s: float = 5
    ) -> Process:
        env = {"NOTIFY_SOCKET": str(self.path)}
        if watchdog_us:
            env["WATCHDOG_USEC"] = str(watchdog_us)
        return self.host.start(text, env=env, grace_s=grace_s)

    def hear(self) -> dict[str, str]:
        """The next message."""
        lines = self.socket.recv(4096).decode().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def hear_of(self, key: str) -> dict[str, str]:
        """The next message with this key; others are passed over."""
        while key not in (message := self.hear()):
            pass
        return message

    def keys_to_the_end(self) -> list[str]:
        """What is still to be heard of a process that has ended."""
        self.socket.setblocking(False)
        keys: list[str] = []
        try:
            while True:
                keys += self.hear()
        except BlockingIOError:
            return keys


@pytest.fixture
def manager(
    host: Host, tmp_path: Path  # noqa: F811
) -> Iterator[Manager]:
    manager = Manager(host, tmp_path)
    yield manager
    manager.socket.close()


def test_ready_comes_first_and_then_the_counts(manager: Manager) -> None:
    process = manager.start()
    assert manager.hear() == {"READY": "1"}
    assert manager.hear() == {
        "STATUS": "1 script runs, 0 frames received, 0 lost"
    }
    process.signal(signal.SIGTERM)
    assert process.finish() == 0


def test_stop_is_told_with_the_time_that_it_may_take(manager: Manager) -> None:
    process = manager.start(grace_s=7)
    manager.hear_of("READY")
    process.signal(signal.SIGTERM)
    message = manager.hear_of("STOPPING")
    assert message["STOPPING"] == "1"
    # stop_timeout_s, 10, and as much for what comes after.
    assert int(message["EXTEND_TIMEOUT_USEC"]) == 30_000_000
    assert process.finish() == 0


def test_script_that_ends_at_once_was_ready(manager: Manager) -> None:
    process = manager.start("pass")
    assert process.finish() == 0
    keys = manager.keys_to_the_end()
    assert keys.index("READY") < keys.index("STOPPING")


def test_reload_is_told_with_its_beginning_and_end(manager: Manager) -> None:
    process = manager.start()
    manager.hear_of("READY")
    process.line("[")
    manager.host.write("script.py", WAIT + "\n# new\n")
    before_us = time.monotonic_ns() // 1000
    process.signal(signal.SIGHUP)
    message = manager.hear_of("RELOADING")
    after_us = time.monotonic_ns() // 1000
    assert message["RELOADING"] == "1"
    # The moment, by the clock and in the unit that systemd compares it with.
    assert before_us <= int(message["MONOTONIC_USEC"]) <= after_us
    assert manager.hear_of("READY") == {"READY": "1"}
    process.signal(signal.SIGTERM)
    assert process.finish() == 0


def test_scripts_do_not_inherit_what_is_for_the_daemon(
    manager: Manager,
) -> None:
    process = manager.start(watchdog_us=60_000_000)
    assert process.line("[") == "[]"
    process.signal(signal.SIGTERM)
    assert process.finish() == 0


def test_watchdog_is_fed_while_scripts_hog_the_interpreter(
    manager: Manager,
) -> None:
    process = manager.start(
        """
        import asyncio, re
        print("hog", flush=True)
        # Holds Python's lock for longer than the test lasts.
        re.match(r"(a*)*b", "a" * 40)
        """,
        watchdog_us=200_000,
        grace_s=0.1,
    )
    process.line("hog")
    for _ in range(10):
        assert manager.hear_of("WATCHDOG") == {"WATCHDOG": "1"}
    process.kill()


def test_without_a_watchdog_it_is_not_fed(manager: Manager) -> None:
    process = manager.start()
    manager.hear_of("STATUS")
    process.signal(signal.SIGTERM)
    assert process.finish() == 0
    assert "WATCHDOG" not in manager.keys_to_the_end()


def test_manager_that_reads_nothing_is_not_waited_for(
    manager: Manager,
) -> None:
    """Its queue is full before the daemon starts."""
    other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    other.setblocking(False)
    other.connect(str(manager.path))
    with pytest.raises(BlockingIOError):
        while True:
            other.send(b"STATUS=noise")
    process = manager.start()
    assert process.line("[") == "[]"
    # With room again it is told after all.
    assert manager.hear_of("READY")
    process.signal(signal.SIGTERM)
    assert process.finish() == 0


def test_address_that_cannot_be_is_refused(
    host: Host, tmp_path: Path  # noqa: F811
) -> None:
    process = host.run(
        "pass", env={"NOTIFY_SOCKET": f"{tmp_path}/nobody"}, status=69
    )
    assert f"{tmp_path}/nobody" in process.stderr


@pytest.mark.parametrize(
    ("option", "folder", "unit"),
    [
        ("--service", "awaitd.service.d", "awaitd.service"),
        ("--service=bench.service", "bench.service.d", "bench.service"),
        ("--service=awaitd@rig.service", "awaitd@.service.d",
         "awaitd@rig.service"),
    ],
)
def test_missing_drop_in_is_named_with_the_units_folder(
    start_process: Callable[..., Process],
    awaitd_binary: Path,
    host: Host,  # noqa: F811
    option: str,
    folder: str,
    unit: str,
) -> None:
    before = ["setpriv", "--bounding-set=-net_raw"]
    process = start_process(
        *(before if os.geteuid() == 0 else []),
        *(awaitd_binary, "run", "-q", option, "-d", "wire=packet:lo"),
        host.write("script.py", "pass"),
    )
    assert process.finish() == 69
    (line,) = process.stderr.splitlines()
    assert "device wire: " in line
    assert "without the drop-in packet" in line
    assert f" /etc/systemd/system/{folder}/ " in line
    assert line.endswith(f"systemctl restart {unit}")


def test_without_the_mark_no_drop_in_is_named(
    host: Host, awaitd_binary: Path, start_process: Callable[..., Process]  # noqa: F811
) -> None:
    before = ["setpriv", "--bounding-set=-net_raw"]
    process = start_process(
        *(before if os.geteuid() == 0 else []),
        *(awaitd_binary, "run", "-q", "-d", "wire=packet:lo"),
        host.write("script.py", "pass"),
    )
    assert process.finish() == 69
    assert "drop-in" not in process.stderr
    assert "CAP_NET_RAW" in process.stderr


# ---- sockets that are passed ----

# Becomes a daemon with a socket of this type as its descriptor 3.
PASS = """
import os, socket, sys
kind, path, *command = sys.argv[1:]
passed = socket.socket(socket.AF_UNIX, getattr(socket, kind))
passed.bind(path)
if kind == "SOCK_STREAM":
    passed.listen()
os.dup2(passed.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(command[0], command)
"""


@pytest.fixture
def pass_socket(
    start_process: Callable[..., Process],
    awaitd_binary: Path,
    host: Host,  # noqa: F811
    tmp_path: Path,
) -> Callable[[str], Process]:
    """pass_socket(kind) -> Process, which got one at `passed`."""

    def start(kind: str) -> Process:
        return start_process(
            *(sys.executable, "-c", PASS, kind, tmp_path / "passed"),
            *(awaitd_binary, "run", "-d", "bus=virtual:can"),
            host.write("script.py", WAIT),
        )

    return start


def test_passed_socket_is_the_control_socket_and_stays(
    pass_socket: Callable[[str], Process], tmp_path: Path
) -> None:
    process = pass_socket("SOCK_STREAM")
    assert process.line("[") == "[]"
    client = Client(tmp_path / "passed")
    assert client.get("status")["socket"] == str(tmp_path / "passed")
    client.close()
    process.signal(signal.SIGTERM)
    assert process.finish() == 0, process.stderr
    assert (tmp_path / "passed").is_socket()


def test_passed_socket_of_another_kind_is_refused_and_survived(
    pass_socket: Callable[[str], Process]
) -> None:
    process = pass_socket("SOCK_DGRAM")
    assert process.line("[") == "[]"
    process.signal(signal.SIGTERM)
    assert process.finish() == 0
    assert "passed is no control socket" in process.stderr
