"""awaitd.service under the real systemd: its life, and how it is ended."""

from __future__ import annotations

import json
import signal
import stat
from collections.abc import Callable

import pytest
from booted import wait_until
from services import SCRIPT, SOCKET, WATCHDOG_S, Service

# ---- start ----


def test_start_waits_for_the_scripts_and_tells_the_counts(
    service: Service,
) -> None:
    service.configure()
    service.start()
    assert service.show("ActiveState") == "active"
    service.wait_for(
        "StatusText", "1 script runs, 5 frames received, 0 lost"
    )


def test_script_that_ends_at_once_is_no_failure(service: Service) -> None:
    service.configure("pass")
    service.start()
    service.wait_for("ActiveState", "inactive")
    assert service.show("Result") == "success"


def test_wrong_configuration_fails_once(service: Service) -> None:
    service.configure(more="mispelt: 1")
    service.system.run("systemctl", "start", service.unit, status=1)
    assert service.show("ExecMainStatus") == "78"
    assert service.show("NRestarts") == "0"
    assert "mispelt" in service.journal()


def test_instance_has_its_own_configuration_and_socket(
    make_service: Callable[[str], Service],
) -> None:
    service = make_service("awaitd@rig.service")
    service.configure()
    service.start()
    service.wait_for_line("version one")
    text = service.awaitctl(
        "--socket", "/run/awaitd/rig.sock", "--json", "scripts"
    )
    assert "/etc/awaitd/rig.py" in text


# ---- what it may ----


def test_user_is_dynamic_and_has_no_capability(service: Service) -> None:
    service.configure()
    service.start()
    lines = service.system.path(f"/proc/{service.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in lines.splitlines())
    uid = int(fields["Uid"].split()[0])
    assert 61184 <= uid <= 65519  # systemd's range of dynamic users
    for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
        assert int(fields[name], 16) == 0, name
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"


def test_script_writes_its_state_and_nothing_else(service: Service) -> None:
    service.configure(
        """
        import os, pathlib
        pathlib.Path("mine").write_text("kept")
        for place in ("/etc/awaitd/x", "/usr/x", "/run/x"):
            try:
                pathlib.Path(place).write_text("")
            except OSError as error:
                print(place, type(error).__name__, flush=True)
        print("runtime", os.environ["RUNTIME_DIRECTORY"], flush=True)
        """
    )
    service.start()
    service.wait_for("ActiveState", "inactive")
    journal = service.journal()
    for place in ("/etc/awaitd/x", "/usr/x", "/run/x"):
        assert f"{place} OSError" in journal or (
            f"{place} PermissionError" in journal
        )
    assert "runtime /run/awaitd/scripts" in journal
    kept = service.system.path("/var/lib/private/awaitd/mine")
    assert kept.read_text() == "kept"


def test_refused_system_call_is_an_exception(service: Service) -> None:
    service.configure(
        """
        import os
        try:
            os.nice(1)
        except PermissionError:
            print("refused, and alive", flush=True)
        """
    )
    service.start()
    service.wait_for_line("refused, and alive")


# ---- the control socket ----


def test_socket_lets_in_root_and_its_group(service: Service) -> None:
    service.configure()
    service.start()
    status = service.system.path(SOCKET).stat()
    group = service.system.run("getent", "group", "awaitctl").split(":")[2]
    assert stat.S_IMODE(status.st_mode) == 0o660
    assert (status.st_uid, status.st_gid) == (0, int(group))
    assert service.status()["socket"] == SOCKET
    # A member may do everything; another user cannot even connect.
    assert "bus" in service.as_member(group, "devices")
    service.as_member(group, "send", "bus", "123#")
    service.wait_for("StatusText", "1 script runs, 6 frames received, 0 lost")
    refused = service.as_member("4711", "devices")
    assert "permission denied: it is for root" in refused


def test_request_starts_a_daemon_that_does_not_run(service: Service) -> None:
    service.configure()
    service.system.run("systemctl", "start", "awaitd.socket")
    assert service.show("ActiveState") == "inactive"
    assert service.status()["devices"] == 1
    service.wait_for("ActiveState", "active")


def test_socket_outlives_the_daemon(service: Service) -> None:
    service.configure()
    service.start()
    before = service.system.path(SOCKET).stat().st_ino
    service.system.run("systemctl", "restart", service.unit)
    assert service.system.path(SOCKET).stat().st_ino == before
    assert service.status()["pid"] == service.pid


# ---- reload ----


def test_reload_puts_the_new_version_in_place(service: Service) -> None:
    service.configure()
    service.start()
    pid = service.pid
    service.wait_for_line("version one")
    service.configure(SCRIPT.replace("one", "two"))
    service.system.run("systemctl", "reload", service.unit)
    service.wait_for_line("version two")
    assert (service.pid, service.show("NRestarts")) == (pid, "0")
    assert service.show("ActiveState") == "active"


def test_reload_of_a_broken_script_fails_and_says_why(
    service: Service,
) -> None:
    service.configure()
    service.start()
    pid = service.pid
    service.configure("this is no Python")
    service.system.run("systemctl", "reload", service.unit, status=1)
    assert service.show("ActiveState") == "active"
    assert service.pid == pid
    assert "awaitd.py:1" in service.journal()


def test_hangup_is_seen_as_a_reload(service: Service) -> None:
    settle = "reload_settle_s: 5"  # it is seen for so long, and a look is slow
    service.configure(more=settle)
    service.start()
    service.wait_for_line("version one")
    service.configure(SCRIPT.replace("one", "two"), more=settle)
    service.kill("SIGHUP")
    service.wait_for("ActiveState", "reloading")
    service.wait_for("ActiveState", "active")
    service.wait_for_line("version two")


# ---- the watchdog ----


@pytest.mark.parametrize(
    ("number", "by_reader"),
    [(signal.SIGRTMIN + 1, False), (signal.SIGRTMIN + 2, True)],
    ids=["main", "reader"],
)
def test_watchdog_restarts_a_daemon_that_hangs(
    service: Service, number: int, by_reader: bool
) -> None:
    service.configure()
    service.quick()
    service.start()
    before = service.pid
    service.kill(str(int(number)))
    service.wait_for_restart(before)
    assert service.show("NRestarts") == "1"
    journal = service.journal()
    assert "Watchdog timeout" in journal
    assert "Fatal Python error: Aborted\n" in journal
    assert "(most recent call first):\n  File" in journal
    line = "device bus: its reader does not answer"
    assert (line in journal) is by_reader


def test_idle_daemon_is_left_alone(service: Service) -> None:
    service.configure("import asyncio\nawait asyncio.Event().wait()")
    service.quick()
    service.start()
    before = service.pid
    # Three periods: as many as systemd's own clock says.
    stamp = "WatchdogTimestampMonotonic"
    first = int(service.show(stamp))
    wait_until(
        lambda: int(service.show(stamp)) > first + 3_000_000 * WATCHDOG_S
    )
    assert (service.pid, service.show("NRestarts")) == (before, "0")


def test_crash_is_followed_by_a_restart(service: Service) -> None:
    service.configure()
    service.quick()
    service.start()
    before = service.pid
    service.kill("SIGSEGV")
    service.wait_for_restart(before)
    assert service.show("NRestarts") == "1"
    assert service.status()["devices"] == 1


def test_service_that_keeps_failing_is_started_again_and_again(
    service: Service,
) -> None:
    """More often than systemd's own limit, five times in ten seconds."""
    service.configure("raise SystemExit(3)")
    service.quick()
    service.start()
    wait_until(lambda: int(service.show("NRestarts")) > 6, service.journal)
    assert service.system.show("awaitd.socket", "ActiveState") == "active"


def test_request_to_a_wrong_configuration_starts_it_once(
    service: Service,
) -> None:
    """Its connection waits in the socket, and would start it without an end."""
    service.configure(more="mispelt: 1")
    service.system.run("systemctl", "start", "awaitd.socket")
    service.awaitctl("status", status=69)
    service.wait_for("ActiveState", "failed")
    assert service.journal().count("mispelt: unknown key") == 1
    assert service.system.show("awaitd.socket", "SubState") == "listening"
    service.configure()
    assert service.status()["devices"] == 1


# ---- stop ----


def test_stop_lets_scripts_finish(service: Service) -> None:
    service.configure(
        """
        import asyncio, pathlib
        try:
            print("ready", flush=True)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.1)
            pathlib.Path("finished").touch()
        """
    )
    service.start()
    service.wait_for_line("ready")
    service.system.run("systemctl", "stop", service.unit)
    assert service.show("Result") == "success"
    assert service.system.path("/var/lib/private/awaitd/finished").exists()


STUBBORN = """
    import asyncio
    while True:
        try:
            print("ready", flush=True)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
"""


def test_stop_of_a_stubborn_script_ends_by_its_deadline(
    service: Service,
) -> None:
    service.configure(
        STUBBORN, more="stop_grace_s: 2\nstop_timeout_s: 3"
    )
    service.start()
    service.wait_for_line("ready")
    service.system.run("systemctl", "stop", service.unit)
    assert service.show("Result") == "exit-code"
    assert service.show("ExecMainStatus") == "1"
    assert "abandoned" in service.journal()


def test_stop_that_takes_longer_than_the_unit_allows_is_waited_for(
    service: Service,
) -> None:
    """And longer than the watchdog's time, which nobody feeds meanwhile."""
    service.configure(
        f"""
        import asyncio, pathlib
        try:
            print("ready", flush=True)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep({2 * WATCHDOG_S})
            pathlib.Path("finished").touch()
        """,
        more="stop_grace_s: 20\nstop_timeout_s: 20",
    )
    service.quick("TimeoutStopSec=1")
    service.start()
    service.wait_for_line("ready")
    service.system.run("systemctl", "stop", service.unit)
    assert service.show("Result") == "success"
    assert service.system.path("/var/lib/private/awaitd/finished").exists()


# ---- drop-ins ----


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("udp", "{name: bus, driver: udp, bind: '127.0.0.1:5005'}"),
        ("packet", "{name: bus, driver: packet, interface: lo}"),
    ],
)
def test_device_names_its_drop_in_and_works_with_it(
    service: Service, name: str, device: str
) -> None:
    service.configure(
        """
        import asyncio
        from awaitd.devices import bus
        queue = bus.queue()
        print("open", flush=True)
        await asyncio.Event().wait()
        """,
        device=device,
    )
    service.drop_in("once", "Restart=no")
    service.system.run("systemctl", "start", service.unit, status=1)
    assert service.show("ExecMainStatus") == "69"
    (line,) = (
        line for line in service.journal().splitlines()
        if f"without the drop-in {name}" in line
    )
    assert "device bus: " in line
    # The very command that it gives.
    command = line.partition(f"drop-in {name}: ")[2]
    service.system.run("sh", "-c", command)
    service.wait_for_line("open")
    assert service.show("ActiveState") == "active"


@pytest.mark.parametrize("option", ["priority: 10", "cpus: 0"])
def test_option_without_its_drop_in_is_an_error_that_is_survived(
    service: Service, option: str
) -> None:
    service.configure(
        device=f"{{name: bus, driver: virtual, receive_own: yes, {option}}}"
    )
    service.start()
    assert "without the drop-in realtime" in service.journal()
    assert service.show("ActiveState") == "active"


def test_drop_in_for_spi_lets_the_devices_be_seen(service: Service) -> None:
    service.configure(
        """
        import asyncio, os
        from awaitd.devices import bus
        groups = sorted(os.getgroups())
        # PrivateDevices= would have made one with nothing but these in it.
        print("sees", os.path.exists("/dev/of-the-test"), groups, flush=True)
        await asyncio.Event().wait()
        """
    )
    service.system.write("/dev/of-the-test", "")
    service.link("spi")
    service.start()
    service.wait_for_line("sees True")
    (line,) = (it for it in service.journal().splitlines() if "sees" in it)
    for name in ("spi", "gpio"):
        group = service.system.run("getent", "group", name).split(":")[2]
        assert group in line


@pytest.mark.parametrize("path", ["/dev/spidev9.9", "/dev/by-a-link"])
def test_spi_device_that_may_never_come_names_the_drop_in(
    service: Service, path: str
) -> None:
    """It is not there, and in the unit's own /dev it never would be."""
    service.configure(
        "import asyncio\nawait asyncio.Event().wait()",
        device=f"{{name: adc, driver: spi, path: {path}}}",
    )
    service.drop_in("once", "Restart=no")
    service.system.run("systemctl", "start", service.unit, status=1)
    assert service.show("ExecMainStatus") == "69"
    journal = service.journal()
    assert "device adc: the service does not allow it without" in journal
    assert "the drop-in spi: " in journal
    # With it the device is waited for.
    service.link("spi")
    service.start()
    assert "device adc is waited for" in service.journal()


# ---- the journal ----


def test_journal_knows_script_line_and_level(service: Service) -> None:
    service.configure(
        """
        import logging
        print("printed")
        logging.error("logged")
        """
    )
    service.start()
    service.wait_for("ActiveState", "inactive")
    service.wait_for_line("logged")
    entries = {
        entry["MESSAGE"].rpartition(":")[2]: entry
        for line in service.system.run(
            "journalctl", "AWAITD_SCRIPT=awaitd", "-o", "json", "--no-pager"
        ).splitlines()
        for entry in [json.loads(line)]
    }
    for text, line, level in (("printed", "3", "6"), ("logged", "4", "3")):
        entry = entries[text]
        assert entry["CODE_FILE"] == "/etc/awaitd/awaitd.py"
        assert (entry["CODE_LINE"], entry["PRIORITY"]) == (line, level)
        assert entry["_SYSTEMD_UNIT"] == service.unit
