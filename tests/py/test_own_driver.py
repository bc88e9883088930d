"""A driver of one's own: built against the installed headers, as somebody
outside of this repository would, and used in plain Python and in the daemon."""

from __future__ import annotations

import asyncio
import os
import pty
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import rig

import awaitd

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("AWAITD_BUILD", ROOT / "build")).resolve()
EXAMPLE = ROOT / "examples" / "driver"
COMPILE = ("gcc", "-std=gnu17", "-D_GNU_SOURCE", "-shared", "-fPIC")


def call(*command: object) -> None:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def headers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation of the headers alone."""
    prefix = tmp_path_factory.mktemp("prefix")
    call("cmake", "--install", BUILD, "--component", "headers",
         "--prefix", prefix)
    return prefix


@pytest.fixture(scope="module")
def serial_so(headers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, built by its own CMakeLists.txt from a copy of its own."""
    folder = tmp_path_factory.mktemp("serial")
    shutil.copytree(EXAMPLE, folder / "source")
    call("cmake", "-G", "Ninja", "-S", folder / "source", "-B", folder,
         f"-DCMAKE_PREFIX_PATH={headers}", "-DCMAKE_C_FLAGS=-Werror")
    call("cmake", "--build", folder)
    return folder / "serial.so"


class Line:
    """The far end of a serial line, and the path of the near one."""

    def __init__(self) -> None:
        self.fd, near = pty.openpty()
        self.path = os.ttyname(near)
        os.close(near)

    def put(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.fd, data):]

    def take(self, size: int) -> bytes:
        """So many bytes, or more."""
        data = b""
        while len(data) < size:
            data += os.read(self.fd, 65536)
        return data

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.close()


def open_serial(driver: Path, line: Line, **options: object) -> awaitd.Device:
    return awaitd.open(
        {"name": "line", "driver": str(driver), "path": line.path} | options
    )


# ---- the headers ----


@pytest.mark.extension
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_each_installed_header_compiles_alone(headers, compiler, tmp_path):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} here")
    names = [path.relative_to(headers / "include")
             for path in headers.rglob("*.h")]
    assert Path("awaitd/driver.h") in names
    for name in names:
        source = tmp_path / "alone.c"
        source.write_text(f"#include <{name}>\n")
        call(compiler, "-std=gnu17", "-Wall", "-Wextra", "-Werror",
             "-fsyntax-only", "-I", headers / "include", source)


# ---- in plain Python ----


@pytest.mark.extension
def test_lines_arrive(serial_so, line):
    with open_serial(serial_so, line) as device:
        queue = device.queue()
        line.put(b"one\r\n\ntwo\n")
        frames = [queue.recv(timeout=rig.DEADLINE_S) for _ in range(3)]
    assert [frame.data for frame in frames] == [b"one", b"", b"two"]
    assert [frame.seq for frame in frames] == [0, 1, 2]


@pytest.mark.extension
def test_more_frames_than_a_batch_arrive_in_order(serial_so, line):
    with open_serial(serial_so, line) as device:
        queue = device.queue()
        sent = [str(number).encode() for number in range(3000)]
        for data in sent:
            line.put(data + b"\n")
        got = [queue.recv(timeout=rig.DEADLINE_S).data for _ in sent]
        assert got == sent
        assert queue.stats().dropped == 0


@pytest.mark.extension
def test_slip_is_understood_both_ways(serial_so, line, run):
    data = bytes(range(256))
    encoded = data.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")

    async def main() -> None:
        with open_serial(serial_so, line, framing="slip") as device:
            queue = device.queue()
            line.put(b"\xc0" + encoded + b"\xc0")
            assert (await queue.get()).data == data
            await device.send(data)
            assert line.take(260) == b"\xc0" + encoded + b"\xc0"

    run(main())


@pytest.mark.extension
def test_a_broken_frame_is_in_the_ledger(serial_so, line):
    with open_serial(serial_so, line, framing="slip") as device:
        queue = device.queue()
        line.put(b"\xdbx\xc0\xdb\xc0good\xc0")
        frame = queue.recv(timeout=rig.DEADLINE_S)
        assert (frame.data, frame.lost_before) == (b"good", 2)
        stats = queue.stats()
        assert (stats.received, stats.delivered, stats.dropped) == (3, 1, 2)


@pytest.mark.extension
def test_a_long_frame_is_cut_and_the_next_one_whole(serial_so, line):
    with open_serial(serial_so, line, max_payload=4) as device:
        queue = device.queue()
        line.put(b"too long\nfine\n")
        got = [queue.recv(timeout=rig.DEADLINE_S).data for _ in range(2)]
    assert got == [b"too ", b"fine"]


@pytest.mark.extension
def test_what_the_port_has_no_room_for_follows(serial_so, line, run):
    """A pty takes some 4 KiB; what is left waits for its epoll."""
    frames = [bytes([65 + number]) * 4000 for number in range(20)]

    async def main() -> None:
        with open_serial(serial_so, line, max_payload=4096) as device:
            sending = [asyncio.create_task(device.send(it)) for it in frames]
            expected = b"".join(it + b"\n" for it in frames)
            taken = await asyncio.to_thread(line.take, len(expected))
            assert taken == expected
            await asyncio.gather(*sending)

    run(main())


@pytest.mark.extension
def test_a_newline_cannot_be_sent_in_a_line(serial_so, line, run):
    async def main() -> None:
        with open_serial(serial_so, line) as device:
            with pytest.raises(awaitd.DeviceError):
                await device.send(b"a\nb")

    run(main())


@pytest.mark.extension
def test_unplugging_ends_the_wait(serial_so, line, run):
    async def main() -> None:
        with open_serial(serial_so, line) as device:
            waiting = asyncio.create_task(device.queue().get())
            await asyncio.sleep(0)
            line.close()
            with pytest.raises(awaitd.DeviceLost):
                await waiting

    run(main())


@pytest.mark.extension
def test_a_port_that_is_missing_says_so(serial_so, tmp_path):
    with pytest.raises(awaitd.DeviceError, match="is it plugged in"):
        awaitd.open({"driver": str(serial_so), "path": str(tmp_path / "no")})


@pytest.mark.extension
def test_what_is_no_port_is_refused(serial_so):
    with pytest.raises(awaitd.DeviceError, match="no serial port"):
        awaitd.open({"driver": str(serial_so), "path": "/dev/null"})


@pytest.mark.extension
def test_two_cannot_have_one_port(serial_so, line, python):
    # Root may all the same: if we are it, the second one is somebody else.
    os.chmod(line.path, 0o666)
    process = python(
        """
        import os, shutil, sys, tempfile, awaitd
        driver, port = sys.argv[1:]
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            options = {"driver": shutil.copy(driver, folder), "path": port}
            first = awaitd.open({"name": "first", **options})
            if os.geteuid() == 0:
                os.seteuid(65534)
            try:
                awaitd.open({"name": "second", **options})
            except awaitd.DeviceError as error:
                print(error.strerror)
            finally:
                if os.getuid() == 0:
                    os.seteuid(0)
        """,
        str(serial_so), line.path,
    )
    assert process.finish() == 0, process.stderr
    assert "somebody else has it" in process.stdout


@pytest.mark.extension
def test_a_device_without_a_name_is_called_as_the_file(serial_so, line):
    with awaitd.open({"driver": str(serial_so), "path": line.path}) as device:
        assert device.name == "serial"
    with awaitd.open(f"{serial_so}:{line.path},baud=9600") as device:
        assert device.name == "serial"


@pytest.mark.extension
def test_the_environment_names_a_driver_by_its_path(
    serial_so, line, python
):
    process = python(
        """
        from awaitd.devices import line
        queue = line.queue()
        print("ready", flush=True)
        print(queue.recv().data.decode())
        """,
        env={"AWAITD_DEVICES": f"line={serial_so}:{line.path}"},
    )
    process.line("ready")
    line.put(b"hello\n")
    assert process.line() == "hello"
    assert process.finish() == 0, process.stderr


# ---- in the daemon ----


@pytest.mark.daemon
def test_the_daemon_runs_the_example(serial_so, line, run_daemon):
    process = run_daemon(
        "run", "-d", f"line={serial_so}:{line.path}", EXAMPLE / "echo.py"
    )
    process.line("ready")
    line.put(b"hello\n")
    assert line.take(6) == b"hello\n"
    process.signal(15)
    assert process.finish() == 0, process.stderr
    assert "exact" in process.stderr


@pytest.fixture
def configured(serial_so, tmp_path):
    """configured(keys): a configuration beside the driver, with a device."""
    shutil.copy(serial_so, tmp_path / "mine.so")

    def write(keys: str) -> Path:
        path = tmp_path / "awaitd.yaml"
        path.write_text(f"devices:\n  - {{name: line, {keys}}}\n")
        return path

    return write


@pytest.mark.daemon
def test_a_configuration_names_it_from_its_own_folder(
    configured, line, run_daemon, tmp_path
):
    config = configured(f"driver: ./mine.so, path: {line.path}, baud: 9600")
    script = tmp_path / "one.py"
    script.write_text(
        "from awaitd.devices import line\n"
        "queue = line.queue()\n"
        "print('ready', flush=True)\n"
        "print((await queue.get()).data)\n"
    )
    process = run_daemon("run", "-c", config, script, cwd="/")
    process.line("ready")
    line.put(b"hello\n")
    assert process.line() == "b'hello'"
    assert process.finish() == 0, process.stderr


@pytest.mark.daemon
@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ("driver: ./mine.so, path: x, bauds: 1",
         'devices[0].bauds: driver serial has no option "bauds"; did you mean '
         '"baud"?'),
        ("driver: ./mine.so, path: x, baud: 1",
         "devices[0].baud: baud takes a whole number from 50 to 4000000, not "
         '"1"'),
        ("driver: virtual, kind: can, baud: 9600",
         'devices[0].baud: driver virtual has no option "baud"'),
        ("driver: ./none.so, path: x",
         "devices[0].driver: cannot load the driver"),
    ],
)
def test_a_wrong_configuration_is_refused_by_its_line(
    configured, run_daemon, keys, sentence
):
    config = configured(keys)
    process = run_daemon("check", config)
    assert process.finish() == 78
    assert process.stderr.startswith(f"{config}:2: {sentence}")


@pytest.mark.daemon
def test_help_shows_its_options(serial_so, run_daemon):
    process = run_daemon("help", "devices", serial_so)
    assert process.finish() == 0, process.stderr
    assert "serial: a serial line" in process.stdout
    assert "framing" in process.stdout
    assert "virtual" not in process.stdout


# ---- refused ----

TABLE = """
    #include <awaitd/driver.h>
    static int open_it(struct aw_link *link, const struct aw_value *values,
                       struct aw_error *error)
    {
        link->fd = -1;
        link->kind = AW_KIND_BYTES;
        OPENED
        return 0;
    }
    static int read_it(struct aw_link *link, struct aw_batch *batch)
    {
        return 0;
    }
    static void close_it(struct aw_link *link) {}
    const struct aw_driver awaitd_driver = {
        AW_DRIVER_HEAD, .name = "mine", .help = "mine",
        .open = open_it, .read = read_it, .close = close_it,
    };
"""


@pytest.fixture
def planted(headers, tmp_path):
    """planted(before, after): a driver against headers that have `after` in
    the place of `before`; OPENED is what open() does besides."""

    def build(before: str = "", after: str = "", opened: str = "") -> Path:
        include = tmp_path / "include"
        shutil.copytree(headers / "include", include)
        header = include / "awaitd" / "devices" / "device.h"
        text = header.read_text()
        assert before in text
        if before:
            header.write_text(text.replace(before, after))
        source = tmp_path / "mine.c"
        source.write_text(textwrap.dedent(TABLE))
        call(*COMPILE, f"-DOPENED={opened}", "-I", include, source,
             "-o", tmp_path / "mine.so")
        return tmp_path / "mine.so"

    return build


VERSION = "#define AW_DRIVER_VERSION 1u"


@pytest.mark.daemon
@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (VERSION, "#define AW_DRIVER_VERSION 7u",
         "a driver for version 7 of the drivers' contract; this awaitd has "
         "version 1: build it again"),
        ("    const char *main_option;", "", "the driver's table has "),
        ("    uint32_t kept_frames;", "    uint64_t kept[9];",
         "the driver was built with the headers of another awaitd"),
    ],
)
def test_other_headers_are_refused(planted, run_daemon, before, after, reason):
    driver = planted(before, after)
    process = run_daemon(
        "run", "-d", f"it={driver}", ROOT / "examples" / "three_lines.py"
    )
    assert process.finish() == 78
    assert f"device it: {driver}: {reason}" in process.stderr


@pytest.mark.extension
def test_other_headers_are_refused_in_plain_python(planted):
    driver = planted(VERSION, "#define AW_DRIVER_VERSION 7u")
    with pytest.raises(awaitd.ConfigError, match="driver for version 7"):
        awaitd.open({"driver": str(driver)})


@pytest.mark.extension
@pytest.mark.parametrize(
    ("opened", "reason"),
    [
        ("link->payload_bytes=0;", "payload_bytes is 0"),
        ("link->payload_bytes=8;link->can_send=true;", "but has no send"),
        ("link->payload_bytes=8;link->aux_fd=0;", "but no aux"),
    ],
)
def test_what_open_says_wrongly_is_refused(planted, start_process, opened,
                                           reason):
    driver = planted(opened=opened)
    # A process of its own: this one has a driver of that name already.
    process = start_process(
        sys.executable, "-c",
        f"import awaitd; awaitd.open({{'driver': {str(driver)!r}}})",
    )
    assert process.finish() == 1
    assert "an error in driver mine" in process.stderr
    assert reason in process.stderr
