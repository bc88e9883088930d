"""awaitd as a process: its commands, what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import textwrap
import time
from pathlib import Path

import pytest
from control import Client, connect_soon
from ports import free_port

pytestmark = pytest.mark.daemon

DEADLINE_S = 20.0

WAIT_FOR_EVER = """
    import asyncio
    print("ready", flush=True)
    await asyncio.Event().wait()
"""


class Process:
    """A running awaitd whose output can be waited for."""

    def __init__(self, command: list[str]) -> None:
        self.deadline = time.monotonic() + DEADLINE_S
        self.stdout = b""
        self.popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def wait_for(self, text: bytes) -> None:
        """Reads stdout until `text` has come."""
        assert self.popen.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.popen.stdout, selectors.EVENT_READ)
            while text not in self.stdout:
                left = self.deadline - time.monotonic()
                assert left > 0 and selector.select(left), "nothing came"
                chunk = os.read(self.popen.stdout.fileno(), 65536)
                if not chunk:
                    pytest.fail(f"ended early: {self.popen.communicate()}")
                self.stdout += chunk

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def finish(self) -> tuple[int, str]:
        """The exit status and stderr, once it has ended."""
        left = max(0.1, self.deadline - time.monotonic())
        _, errors = self.popen.communicate(timeout=left)
        return self.popen.returncode, errors.decode()


@pytest.fixture
def awaitd(awaitd_binary):
    """Runs awaitd to its end."""

    def run(*args, **options) -> subprocess.CompletedProcess:
        options.setdefault("text", True)
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(
            [str(awaitd_binary), *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=DEADLINE_S,
            check=False,
            **options,
        )

    return run


@pytest.fixture
def start(awaitd_binary):
    """Starts awaitd; what is still running at the end is killed."""
    processes = []

    def launch(*args) -> Process:
        process = Process([str(awaitd_binary), *map(str, args)])
        processes.append(process)
        return process

    yield launch
    for process in processes:
        if process.popen.poll() is None:
            process.popen.kill()
            process.popen.communicate()


@pytest.fixture
def write(tmp_path):
    """Writes a file of the test and gives its path."""

    def writer(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return path

    return writer


def write_log(write, count: int) -> Path:
    """A log of `count` frames, every second one with the id 0x100."""
    lines = (
        f"(1700000000.{index:06d}) can0 {0x100 + index % 2:03X}#{index:08X}\n"
        for index in range(count)
    )
    return write("drive.log", "".join(lines))


# ---- help, version, usage ----


def test_version_is_printed(awaitd):
    result = awaitd("--version")
    assert (result.returncode, result.stdout) == (0, "awaitd 0.1.0\n")


def test_help_names_commands_and_drivers(awaitd):
    result = awaitd("--help")
    assert result.returncode == 0
    for word in ("awaitd run", "awaitd check", "can", "udp", "replay", "virtual"):
        assert word in result.stdout


def test_help_fits_a_terminal(awaitd):
    for topic in (["--help"], ["run", "--help"]):
        for line in awaitd(*topic).stdout.splitlines():
            assert len(line) <= 100, line


def test_help_on_run_lists_options_and_statuses(awaitd):
    result = awaitd("run", "--help")
    assert result.returncode == 0
    for word in ("--stats-json", "--fail-on-drop", "--quiet", "78", "130"):
        assert word in result.stdout


def test_help_on_devices_lists_every_option(awaitd):
    result = awaitd("help", "devices")
    assert result.returncode == 0
    for word in ("interface", "bind", "multicast", "speed", "priority", "default"):
        assert word in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["walk"],
        ["logger.py"],
        ["run"],
        ["run", "-d"],
        ["run", "--colour", "script.py"],
        ["run", "-d", "bus=virtual:can"],
        ["run", "-d", "a=udp:[::]:1", "-d", "b=virtual:can"]
        + ["--device=a=virtual:can", "script.py"],
        ["check"],
        ["check", "one.yaml", "two.yaml"],
        ["help", "cooking"],
    ],
    ids=" ".join,
)
def test_usage_error_exits_64_in_one_line(awaitd, arguments):
    result = awaitd(*arguments)
    assert result.returncode == 64
    assert result.stdout == ""
    assert result.stderr.startswith("awaitd: error: ")
    assert result.stderr.count("\n") == 1


def test_device_given_twice_is_named(awaitd):
    twice = ["-d", "bus=virtual:can", "-d", "bus=virtual:bytes"]
    result = awaitd("run", *twice, "script.py")
    assert "device bus is given twice" in result.stderr


def test_devices_whose_names_begin_alike_are_two(awaitd, write):
    script = write("script.py", "import awaitd.devices as d\nprint(dir(d))\n")
    both = ["-d", "bus=virtual:can", "-d", "bus2=virtual:can"]
    result = awaitd("run", "-q", *both, script)
    assert result.stdout == "['bus', 'bus2']\n", result.stderr


def test_device_of_the_command_line_replaces_the_files(awaitd, write):
    write("script.py", "from awaitd.devices import bus\nprint(bus.kind)\n")
    config = write(
        "bench.yaml",
        """\
        devices:
          - {name: bus, driver: virtual, kind: can}
        scripts:
          - {path: script.py}
        """,
    )
    result = awaitd("run", "-q", "-c", config, "-d", "bus=virtual:bytes")
    assert result.stdout == "bytes\n", result.stderr


def test_stats_path_that_cannot_be_written_exits_64(awaitd, write):
    script = write("script.py", "print('never')\n")
    result = awaitd("run", "--stats-json", "/nowhere/stats.json", script)
    assert result.returncode == 64
    assert "/nowhere/stats.json" in result.stderr
    assert result.stdout == ""


# ---- configuration ----


def test_check_counts_devices_and_scripts(awaitd, write):
    write("script.py", "pass\n")
    config = write(
        "bench.yaml",
        """\
        devices:
          - {name: bus, driver: virtual}
        scripts:
          - {path: script.py}
        """,
    )
    result = awaitd("check", config)
    assert result.stderr == ""
    assert result.stdout == f"{config}: ok, 1 device, 1 script\n"
    assert result.returncode == 0


@pytest.mark.parametrize("command", [["check"], ["run", "-c"]], ids=" ".join)
def test_misspelt_key_exits_78_with_file_and_line(awaitd, write, command):
    config = write(
        "bench.yaml",
        """\
        devices:
          - name: CANbus
            driver: can
            interfce: can0
        """,
    )
    result = awaitd(*command, config)
    assert result.returncode == 78
    assert f"{config}:4: " in result.stderr
    assert "interfce" in result.stderr
    assert '"interface"' in result.stderr


@pytest.mark.parametrize("command", [["check"], ["run", "-c"]], ids=" ".join)
def test_missing_configuration_exits_78(awaitd, tmp_path, command):
    result = awaitd(*command, tmp_path / "none.yaml")
    assert result.returncode == 78
    assert "none.yaml" in result.stderr


def test_check_of_a_missing_script_exits_78(awaitd, write):
    config = write("bench.yaml", "scripts:\n  - {path: gone.py}\n")
    result = awaitd("check", config)
    assert result.returncode == 78
    assert "gone.py" in result.stderr


def test_configuration_without_scripts_exits_78(awaitd, write):
    config = write("bench.yaml", "devices:\n  - {name: bus, driver: virtual}\n")
    result = awaitd("run", "-c", config)
    assert result.returncode == 78
    assert "no scripts" in result.stderr


def test_missing_script_exits_78(awaitd, tmp_path):
    result = awaitd("run", tmp_path / "gone.py")
    assert result.returncode == 78
    assert "gone.py" in result.stderr
    assert "No such file" in result.stderr


@pytest.mark.parametrize(
    "device, word",
    [
        ("CAN-bus=virtual:can", "CAN-bus"),
        ("class=virtual:can", "class"),
        ("bus=vitual:can", "virtual"),
        ("bus=virtual:can,colour=red", "colour"),
        ("bus=virtual:tram", "tram"),
        ("bus", "bus"),
        ("net=udp", "bind"),
    ],
)
def test_wrong_device_exits_78_and_is_named(awaitd, write, device, word):
    script = write("script.py", "print('never')\n")
    result = awaitd("run", "-d", device, script)
    assert result.returncode == 78
    assert word in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_device_on_the_command_line_replaces_the_files(awaitd, write):
    write("script.py", "from awaitd.devices import bus\nprint(bus.driver)\n")
    config = write(
        "bench.yaml",
        """\
        devices:
          - {name: bus, driver: can, interface: nosuchbus0}
        scripts:
          - {path: script.py}
        """,
    )
    result = awaitd("run", "-q", "-c", config, "-d", "bus=virtual:can")
    assert (result.returncode, result.stdout) == (0, "virtual\n"), result.stderr


# ---- devices ----


def test_address_of_another_machine_exits_69(awaitd, write):
    script = write("script.py", "print('never')\n")
    result = awaitd("run", "-d", "net=udp:192.0.2.1:5005", script)
    assert result.returncode == 69
    assert "device net" in result.stderr
    assert "192.0.2.1" in result.stderr
    assert result.stdout == ""


def test_missing_interface_exits_69(awaitd, write):
    script = write("script.py", "print('never')\n")
    result = awaitd("run", "-d", "CANbus=can:nosuchbus0", script)
    assert result.returncode == 69
    assert "device CANbus" in result.stderr


def test_missing_log_exits_69(awaitd, write, tmp_path):
    script = write("script.py", "print('never')\n")
    result = awaitd("run", "-d", f"CANbus=replay:{tmp_path}/gone.log", script)
    assert result.returncode == 69
    assert "gone.log" in result.stderr


# ---- missing, in a service ----

STATE = """
    from awaitd.devices import net
    print(net.state, flush=True)
"""
ELSEWHERE = "net=udp:192.0.2.1:5005"


def test_missing_device_of_a_service_is_waited_for(awaitd, write):
    script = write("script.py", STATE)
    result = awaitd("run", "--service", "-d", ELSEWHERE, script)
    assert (result.returncode, result.stdout) == (0, "waiting\n")
    assert "device net is waited for: cannot bind 192.0.2.1" in result.stderr


def test_device_that_a_service_requires_exits_69(awaitd, write):
    script = write("script.py", STATE)
    result = awaitd(
        "run", "--service", "-d", f"{ELSEWHERE},required=yes", script
    )
    assert (result.returncode, result.stdout) == (69, "")
    assert "device net: cannot bind 192.0.2.1" in result.stderr


def test_device_that_is_not_required_is_waited_for(awaitd, write):
    script = write("script.py", STATE)
    result = awaitd("run", "-d", f"{ELSEWHERE},required=no", script)
    assert (result.returncode, result.stdout) == (0, "waiting\n")


def test_device_of_a_service_in_the_file_is_waited_for(awaitd, write):
    """Those of the file as those of the command line."""
    write("script.py", STATE)
    config = write(
        "awaitd.yaml",
        """\
        devices:
          - {name: net, driver: udp, bind: "192.0.2.1:5005"}
        scripts:
          - {path: script.py}
        """,
    )
    result = awaitd("run", "--service", "-c", config)
    assert (result.returncode, result.stdout) == (0, "waiting\n")
    assert awaitd("run", "-c", config).returncode == 69


def test_log_that_is_missing_fails_a_service_too(awaitd, write, tmp_path):
    """Nobody can say what would be in it."""
    script = write("script.py", "print('never')\n")
    result = awaitd(
        "run", "--service", "-d", f"CANbus=replay:{tmp_path}/gone.log", script
    )
    assert (result.returncode, result.stdout) == (69, "")


# ---- the script's own end ----


@pytest.mark.parametrize("status", [0, 3, 255])
def test_exit_status_is_the_scripts(awaitd, write, status):
    script = write("script.py", f"import sys\nsys.exit({status})\n")
    assert awaitd("run", "-q", script).returncode == status


@pytest.mark.parametrize("status", [64, 78])
def test_exit_status_that_systemd_takes_for_ours_is_1_in_a_service(
    awaitd, write, status
):
    script = write("script.py", f"raise SystemExit({status})\n")
    assert awaitd("run", "-q", script).returncode == status
    result = awaitd("run", "-q", "--service", script)
    assert result.returncode == 1
    assert f"a script ended with status {status}, which" in result.stderr


@pytest.mark.parametrize("status", [0, 3, 69])
def test_any_other_exit_status_is_the_scripts_in_a_service(
    awaitd, write, status
):
    script = write("script.py", f"raise SystemExit({status})\n")
    result = awaitd("run", "-q", "--service", script)
    assert (result.returncode, result.stderr) == (status, "")


def test_configuration_that_is_wrong_exits_78_in_a_service(awaitd, write):
    config = write("awaitd.yaml", "scripts: []\n")
    assert awaitd("run", "--service", "-c", config).returncode == 78


def test_uncaught_exception_exits_1_with_traceback(awaitd, write):
    script = write("script.py", "\nraise RuntimeError('brakes')\n")
    result = awaitd("run", "-q", script)
    assert result.returncode == 1
    assert "RuntimeError: brakes" in result.stderr
    assert f'"{script}", line 2' in result.stderr


def test_syntax_error_exits_1_with_file_and_line(awaitd, write):
    script = write("script.py", "x = 1\nif x ==:\n    pass\n")
    result = awaitd("run", "-q", script)
    assert result.returncode == 1
    assert "SyntaxError" in result.stderr
    assert f'"{script}", line 2' in result.stderr


def test_unknown_device_shows_the_scripts_frames_only(awaitd, write):
    script = write(
        "script.py",
        """
        import awaitd
        try:
            from awaitd.devices import typo
        except ImportError:
            awaitd.device("typo2")
        """,
    )
    result = awaitd("run", "-q", "-d", "bus=virtual:can", script)
    assert result.returncode == 1
    assert "awaitd/" not in result.stderr
    assert result.stderr.count(f'"{script}", line') == 2
    assert "\nawaitd.UnknownDevice: no device is called" in result.stderr


def test_help_names_what_there_is(awaitd):
    result = awaitd("--help")
    # One of the sources in the first sentence, and its line among the drivers.
    for source, driver in (("CAN", "can"), ("SPI", "spi"), ("UDP", "udp"),
                           ("Ethernet", "packet"), ("logs", "replay")):
        assert source in result.stdout.split("\n\n")[0]
        assert f"\n  {driver:9}" in result.stdout


def test_arguments_reach_the_script(awaitd, write):
    script = write("script.py", "import json, sys\nprint(json.dumps(sys.argv))\n")
    result = awaitd("run", "-q", script, "-q", "--help", "--", "two words", "")
    assert json.loads(result.stdout) == [
        str(script),
        "-q",
        "--help",
        "--",
        "two words",
        "",
    ]


def test_output_of_one_script_passes_unchanged(awaitd, write):
    script = write(
        "script.py",
        r"""
        import sys
        sys.stdout.write("Größe\r\n\x00\x1b[1m")
        sys.stdout.flush()
        print("no newline", end="")
        """,
    )
    result = awaitd("run", script, text=False)
    assert result.returncode == 0
    assert result.stdout == "Größe\r\n\x00\x1b[1mno newline".encode()


def test_output_of_two_scripts_carries_their_names(awaitd, write):
    one = write("one.py", "print('hello')\n")
    two = write("two.py", "print('hello')\n")
    result = awaitd("run", "-q", "-s", one, two)
    assert result.returncode == 0
    assert sorted(result.stdout.splitlines()) == ["one: hello", "two: hello"]


def test_first_failure_of_two_scripts_is_the_status(awaitd, write):
    good = write("good.py", "pass\n")
    bad = write("bad.py", "import sys\nsys.exit(7)\n")
    result = awaitd("run", "-q", "-s", good, bad)
    assert result.returncode == 7
    assert "script bad ended with status 7" in result.stderr


def test_closed_standard_files_are_replaced(awaitd_binary, write):
    script = write(
        "script.py",
        """
        import os, sys
        print("into nothing", flush=True)
        links = [os.readlink(f"/proc/self/fd/{fd}") for fd in (0, 1)]
        sys.exit(0 if links == ["/dev/null"] * 2 else 9)
        """,
    )
    result = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&-', "sh", awaitd_binary, "run"]
        + ["-d", "bus=virtual:can", script],
        stderr=subprocess.PIPE,
        timeout=DEADLINE_S,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_reader_of_stdout_gone_is_the_scripts_error(start, write):
    script = write(
        "script.py",
        """
        import sys
        print("ready", flush=True)
        sys.stdin.read()
        try:
            while True:
                print("x" * 4096, flush=True)
        except BrokenPipeError:
            sys.exit(5)
        """,
    )
    process = start("run", "-q", script)
    process.wait_for(b"ready\n")  # the line end may be a write of its own
    process.popen.stdout.close()
    process.popen.stdout = None
    status, errors = process.finish()
    assert status in (0, 5), errors  # not -SIGPIPE


# ---- stopping ----


def test_sigterm_exits_0(start, write):
    process = start("run", write("script.py", WAIT_FOR_EVER))
    process.wait_for(b"ready")
    process.signal(signal.SIGTERM)
    status, errors = process.finish()
    assert status == 0
    assert "Traceback" not in errors


def test_ctrl_c_exits_130(start, write):
    process = start("run", write("script.py", WAIT_FOR_EVER))
    process.wait_for(b"ready")
    process.signal(signal.SIGINT)
    status, errors = process.finish()
    assert status == 130
    assert "Traceback" not in errors


def test_sighup_changes_nothing_where_nothing_has_changed(start, write):
    process = start("run", write("script.py", WAIT_FOR_EVER))
    process.wait_for(b"ready")
    process.signal(signal.SIGHUP)
    process.signal(signal.SIGTERM)
    status, errors = process.finish()
    assert status == 0
    assert "reload" not in errors


def test_stop_stops_every_script(start, write):
    one = write("one.py", WAIT_FOR_EVER)
    two = write("two.py", WAIT_FOR_EVER)
    process = start("run", "-s", one, two)
    process.wait_for(b"one: ready")
    process.wait_for(b"two: ready")
    process.signal(signal.SIGTERM)
    assert process.finish()[0] == 0


def test_script_failing_while_stopping_keeps_its_status(start, write):
    script = write(
        "script.py",
        """
        import asyncio, sys
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            sys.exit(9)
        """,
    )
    process = start("run", script)
    process.wait_for(b"ready")
    process.signal(signal.SIGTERM)
    assert process.finish()[0] == 9


def test_finally_may_await_before_the_end(start, write):
    script = write(
        "script.py",
        """
        import asyncio
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.1)
            print("brakes on", flush=True)
        """,
    )
    process = start("run", script)
    process.wait_for(b"ready")
    process.signal(signal.SIGTERM)
    process.wait_for(b"brakes on")
    assert process.finish()[0] == 0


def stubborn_config(
    write, script: str, grace_s: float = 0.2, timeout_s: float = 0.6
) -> Path:
    write("stubborn.py", script)
    return write(
        "bench.yaml",
        f"""\
        stop_grace_s: {grace_s}
        stop_timeout_s: {timeout_s}
        devices:
          - {{name: bus, driver: virtual}}
        scripts:
          - {{path: stubborn.py}}
        """,
    )


def test_script_deaf_to_cancellation_is_abandoned(start, write):
    config = stubborn_config(
        write,
        """
        import asyncio
        print("ready", flush=True)
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
        """,
        grace_s=2,
        timeout_s=3,
    )
    process = start("run", "-c", config)
    process.wait_for(b"ready")
    process.signal(signal.SIGTERM)
    status, errors = process.finish()
    assert status == 1
    assert "script stubborn has not stopped yet: cancelled again" in errors
    assert "ledger" in errors


def test_second_cancel_ends_a_script_deaf_to_the_first(start, write):
    config = stubborn_config(
        write,
        """
        import asyncio
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        await asyncio.Event().wait()
        """,
        grace_s=2,
        timeout_s=600,
    )
    process = start("run", "-c", config)
    process.wait_for(b"ready")
    process.signal(signal.SIGTERM)
    assert process.finish()[0] == 0


def test_blocked_script_is_abandoned_with_its_stack(start, write):
    config = stubborn_config(
        write,
        """
        import threading
        def stuck_here():
            while True:
                try:
                    print("ready", flush=True)
                    threading.Event().wait()
                except BaseException:
                    pass
        stuck_here()
        """,
    )
    process = start("run", "-c", config)
    process.wait_for(b"ready")
    process.signal(signal.SIGTERM)
    status, errors = process.finish()
    assert status == 1
    assert "stuck_here" in errors
    assert "stubborn.py" in errors


def test_third_ctrl_c_does_not_wait_for_the_deadline(start, write):
    config = stubborn_config(
        write,
        """
        import asyncio
        print("ready", flush=True)
        for said in ("first", "second", "third"):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0.6)  # two that are closer count as one
                print(said, flush=True)
        await asyncio.Event().wait()
        """,
        grace_s=600,
        timeout_s=600,
    )
    process = start("run", "-c", config)
    for said in (b"ready", b"first", b"second"):
        process.wait_for(said)
        process.signal(signal.SIGINT)
    assert process.finish()[0] == 1


def has_heeded(client: Client) -> bool:
    """Whether main has heeded the signals that it was sent, and lives on: it
    has by its second answer, as what comes together may be answered first."""
    try:
        for _ in range(2):
            client.write(b'{"command": "status"}\n')
            if client.line() is None:
                return False
    except BrokenPipeError:
        return False
    return True


def interrupt_twice(start, script: Path) -> Process:
    """By two signals that are close enough to be one Ctrl-C, as main sees them:
    within half a second. A machine that is too busy for it is given another
    try."""
    for number in range(20):
        path = script.with_name(f"{number}.sock")
        process = start("run", "--socket", path, script)
        process.wait_for(b"ready")
        client = connect_soon(path)
        began = time.monotonic()
        process.signal(signal.SIGINT)
        process.wait_for(b"first")
        process.signal(signal.SIGINT)
        heeded = has_heeded(client)
        took_s = time.monotonic() - began
        client.close()
        if heeded and took_s < 0.5:
            return process
    pytest.fail("this machine is too slow to interrupt it twice")


def test_ctrl_c_passed_on_by_a_wrapper_counts_once(start, write):
    script = write(
        "script.py",
        """
        import asyncio
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            print("first", flush=True)
            await asyncio.sleep(1)
            print("brakes on", flush=True)
        """,
    )
    process = interrupt_twice(start, script)
    process.wait_for(b"brakes on")
    status, errors = process.finish()
    assert status == 130
    assert "has not stopped yet" not in errors


# ---- the ledger ----

EVERY = """
    from awaitd.devices import CANbus
    async for frame in CANbus.queue():
        pass
"""
SOME = """
    from awaitd.devices import CANbus
    odd = [{"can_id": 0x101, "can_mask": 0x7FF}]
    async for frame in CANbus.queue(name="odd", filters=odd):
        pass
"""


def run_two_queues(awaitd, write, *options):
    """Replays ten frames to two scripts, of which one wants every second."""
    device = f"CANbus=replay:{write_log(write, 10)},speed=max,start=ready"
    every = write("every.py", EVERY)
    some = write("some.py", SOME)
    return awaitd("run", "-d", device, *options, "-s", every, some)


def test_stats_json_is_exact(awaitd, write, tmp_path):
    stats = tmp_path / "stats.json"
    result = run_two_queues(awaitd, write, "--stats-json", stats)
    assert result.returncode == 0, result.stderr
    found = json.loads(stats.read_text())
    queues = {queue["script"]: queue for queue in found["devices"][0]["queues"]}
    for queue in queues.values():
        # How often a waiter had to be woken depends on the machine.
        assert queue.pop("wakes") >= 0
        assert 1 <= queue.pop("high_water") <= 10
        latency = queue.pop("latency")
        assert latency["ring"]["count"] == queue["delivered"]
        assert 1 <= latency["script"]["count"] <= queue["delivered"]
        for stage in latency.values():
            counted = sum(count for _, count in stage["buckets"])
            assert (counted, stage["unplaced"]) == (stage["count"], 0)
            assert stage["p50_ns"] <= stage["p99_ns"] <= stage["max_ns"]
    nothing = {"kernel": 0, "overflow": 0, "cleared": 0, "closed": 0}
    common = {"open": False, "received": 10, "pending": 0}
    common |= {"dropped": nothing, "exact": True}
    assert queues == {
        "every": {"name": "1", "script": "every"}
        | {"filtered": 0, "delivered": 10}
        | common,
        "some": {"name": "odd", "script": "some"}
        | {"filtered": 5, "delivered": 5}
        | common,
    }
    del found["devices"][0]["queues"]
    sending = ("submitted", "sent", "expired", "timed_out", "failed", "pending")
    unknown = ("failure", "carrier", "bus_state", "bitrate", "dbitrate",
               "restart_ms")
    counts = ("tx_errors", "rx_errors", "bus_offs", "restarts", "lost",
              "reopened", "overruns", "missed", "late_max_ns")
    assert found == {
        "version": "0.1.0",
        "status": 0,
        "exact": True,
        "lossless": True,
        "dropped_lines": 0,
        "devices": [
            {
                "name": "CANbus",
                "driver": "replay",
                "send": dict.fromkeys(sending, 0) | {"exact": True},
                "source": {
                    "broken_lines": 0,
                    "too_long": 0,
                    "recorded_losses": 0,
                },
                "status": {"state": "closed", "kernel_filter": False}
                | dict.fromkeys(unknown)
                | dict.fromkeys(counts, 0),
            }
        ],
    }


def test_stats_json_tells_what_of_a_log_became_no_frame(awaitd, write, tmp_path):
    log = write(
        "drive.log",
        """\
        (1700000000.000000) can0 101#00
        no frame
        (1700000000.000100) can0 102#zz
        DROPCOUNT: dropped 5 CAN frames on 'can0' socket (total drops 5)
        (1700000000.000200) can0 103##1000102030405060708090A0B
        """,
    )
    stats = tmp_path / "stats.json"
    device = f"CANbus=replay:{log},speed=max,start=ready,max_payload=8"
    script = write("script.py", EVERY)
    options = ["-d", device, "-d", "bus=virtual:can", "--stats-json", stats]
    result = awaitd("run", *options, script)
    assert result.returncode == 0, result.stderr
    sources = [found["source"] for found in json.loads(stats.read_text())["devices"]]
    assert sources == [
        {"broken_lines": 2, "too_long": 1, "recorded_losses": 5},
        None,
    ]


def test_stats_json_dash_goes_to_stdout(awaitd, write):
    script = write("script.py", "print('hello')\n")
    result = awaitd(
        "run", "-q", "-d", "bus=virtual:can", "--stats-json", "-", script
    )
    first, rest = result.stdout.split("\n", 1)
    assert first == "hello"
    assert json.loads(rest)["devices"][0]["name"] == "bus"


def test_ledger_is_printed_at_the_end(awaitd, write):
    result = run_two_queues(awaitd, write)
    lines = [line.split() for line in result.stderr.splitlines()]
    assert "awaitd: 0.1.0 runs every.py, some.py with CANbus".split() in (
        line[:7] for line in lines
    )
    assert "CANbus 1 every 10 0 10 0 0 exact".split() in lines
    assert "CANbus odd some 10 5 5 0 0 exact".split() in lines
    assert result.stdout == ""


def test_quiet_prints_nothing(awaitd, write):
    result = run_two_queues(awaitd, write, "-q")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_frames_sent_have_their_line(awaitd, write):
    script = write(
        "script.py",
        """
        import awaitd
        from awaitd.devices import bus
        for number in range(3):
            await bus.send(awaitd.CanFrame(arbitration_id=number))
        """,
    )
    result = awaitd("run", "-d", "bus=virtual:can", script)
    assert result.returncode == 0, result.stderr
    assert "bus: sent 3 of 3 submitted  exact" in result.stderr


OVERFLOW = """
    import asyncio, socket, sys
    from awaitd.devices import net
    port = int(sys.argv[1])
    queue = net.queue(depth=1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(3):
            sender.sendto(b"frame", ("127.0.0.1", port))
    other = net.queue(depth=8)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"last", ("127.0.0.1", port))
    while (await other.get()).data != b"last":
        pass
    if len(sys.argv) > 2:
        sys.exit(int(sys.argv[2]))
"""


def run_overflow(awaitd, write, options, *arguments):
    port = free_port()
    script = write("script.py", OVERFLOW)
    device = f"net=udp:127.0.0.1:{port}"
    return awaitd("run", "-d", device, *options, script, port, *arguments)


def test_fail_on_drop_exits_75_after_overflow(awaitd, write):
    result = run_overflow(awaitd, write, ["--fail-on-drop"])
    assert result.returncode == 75, result.stderr
    assert "3 overflow" in result.stderr


def test_overflow_without_fail_on_drop_exits_0(awaitd, write):
    result = run_overflow(awaitd, write, [])
    assert result.returncode == 0, result.stderr
    assert "exact (3 overflow, 1 closed)" in result.stderr


def test_fail_on_drop_keeps_the_scripts_own_failure(awaitd, write):
    result = run_overflow(awaitd, write, ["--fail-on-drop"], 4)
    assert result.returncode == 4


def test_fail_on_drop_ignores_frames_left_behind(awaitd, write):
    script = write(
        "script.py",
        """
        from awaitd.devices import CANbus
        queue = CANbus.queue()
        await queue.get()
        """,
    )
    device = f"CANbus=replay:{write_log(write, 10)},speed=max"
    result = awaitd("run", "--fail-on-drop", "-d", device, script)
    assert result.returncode == 0, result.stderr
