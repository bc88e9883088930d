"""awaitd.devices outside the daemon, awaitd.open, python3 -m awaitd."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import sys
import textwrap
from pathlib import Path

import pytest

import awaitd

pytestmark = pytest.mark.extension

THREE_LINES = """
from awaitd.devices import CANbus
can_q = CANbus.queue()
message = await can_q.get()
print(message)
"""


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "drive.log"
    path.write_text("(1700000000.000000) can0 123#0102\n" * 3)
    return path


@pytest.fixture
def clean(monkeypatch):
    for name in ("AWAITD_DEVICES", "AWAITD_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def module(start_process, tmp_path, clean):
    """module(source, *options, args=[], env={}) -> Process: python3 -m awaitd"""

    def start(source: str, *options: object, args=(), **more):
        path = tmp_path / "script.py"
        path.write_text(textwrap.dedent(source))
        command = [sys.executable, "-m", "awaitd", *options, path, *args]
        return start_process(*command, **more)

    return start


def ends_with(process, status: int, *words: str) -> None:
    assert process.finish() == status, process.stderr
    for word in words:
        assert word in process.stderr
    assert "Traceback" not in process.stderr


# ---- AWAITD_DEVICES, AWAITD_CONFIG ----


def test_devices_come_from_the_environment(python, clean):
    process = python(
        """
        from awaitd.devices import one, two
        import awaitd, awaitd.devices
        print(one, two, dir(awaitd.devices))
        print(awaitd.device("one") is one, awaitd.devices.one is one)
        """,
        env={"AWAITD_DEVICES": "one=virtual:can; two=virtual:bytes;"},
    )
    ends_with(process, 0)
    assert process.stdout.splitlines() == [
        "<CanDevice one (virtual)> <BytesDevice two (virtual)> ['one', 'two']",
        "True True",
    ]


def test_devices_come_from_a_file(python, clean, tmp_path):
    config = tmp_path / "awaitd.yaml"
    config.write_text(
        "devices:\n"
        "  - {name: one, driver: virtual, kind: can}\n"
        "  - {name: two, driver: virtual, kind: bytes}\n"
    )
    process = python(
        """
        import awaitd.devices
        print(dir(awaitd.devices), awaitd.devices.two)
        """,
        env={"AWAITD_CONFIG": str(config)},
    )
    ends_with(process, 0)
    assert process.stdout == "['one', 'two'] <BytesDevice two (virtual)>\n"


def test_devices_of_the_environment_win_over_the_file(python, clean, tmp_path):
    config = tmp_path / "awaitd.yaml"
    config.write_text("devices:\n  - {name: one, driver: virtual, kind: can}\n")
    process = python(
        "from awaitd.devices import one; print(one.kind)",
        env={
            "AWAITD_CONFIG": str(config),
            "AWAITD_DEVICES": "one=virtual:bytes",
        },
    )
    ends_with(process, 0)
    assert process.stdout == "bytes\n"


def test_device_is_opened_on_first_use(python, clean):
    """A device that is no good does no harm until it is asked for."""
    process = python(
        """
        import awaitd
        from awaitd.devices import good
        try:
            from awaitd.devices import bad
        except awaitd.DeviceError as error:
            print(error.device, error.errno)
        """,
        env={"AWAITD_DEVICES": "good=virtual:can;bad=replay:/nowhere/x.log"},
    )
    ends_with(process, 0)
    assert process.stdout == "bad 2\n"


def test_device_that_was_closed_is_opened_anew(python, clean):
    process = python(
        """
        import awaitd
        first = awaitd.device("one")
        first.close()
        second = awaitd.device("one")
        print(second is first, second.closed, awaitd.device("one") is second)
        """,
        env={"AWAITD_DEVICES": "one=virtual:can"},
    )
    ends_with(process, 0)
    assert process.stdout == "False False True\n"


@pytest.mark.parametrize(
    "devices, hint",
    [
        ("one=virtual:can;two=virtual:can", "there are: one, two"),
        ("", "AWAITD_DEVICES"),
    ],
)
def test_unknown_device_lists_those_there_are(python, clean, devices, hint):
    process = python(
        """
        import awaitd
        try:
            from awaitd.devices import three
        except ImportError as error:
            print(isinstance(error, awaitd.ConfigError), error)
        """,
        env={"AWAITD_DEVICES": devices},
    )
    ends_with(process, 0)
    assert process.stdout.startswith("True no device is called 'three'")
    assert hint in process.stdout


@pytest.mark.parametrize(
    "environment, message",
    [
        ({"AWAITD_DEVICES": "one"}, "one"),
        ({"AWAITD_DEVICES": "one=lin:x"}, 'no driver "lin"'),
        ({"AWAITD_DEVICES": "no name=virtual:can"}, "no name"),
        ({"AWAITD_CONFIG": "/nowhere/awaitd.yaml"}, "/nowhere/awaitd.yaml"),
    ],
)
def test_environment_that_is_no_good_is_a_config_error(
    python, clean, environment, message
):
    process = python(
        """
        import awaitd
        try:
            awaitd.device("one")
        except awaitd.ConfigError as error:
            print(error)
        """,
        env=environment,
    )
    ends_with(process, 0)
    assert message in process.stdout


def test_config_file_with_a_misspelt_key_names_the_line(
    python, clean, tmp_path
):
    config = tmp_path / "awaitd.yaml"
    config.write_text("devices:\n  - name: one\n    drivre: virtual\n")
    process = python(
        """
        import awaitd
        try:
            awaitd.device("one")
        except awaitd.ConfigError as error:
            print(error)
        """,
        env={"AWAITD_CONFIG": str(config)},
    )
    ends_with(process, 0)
    assert f"{config}:3" in process.stdout
    assert "drivre" in process.stdout


def test_devices_has_no_private_names():
    import awaitd.devices

    with pytest.raises(AttributeError):
        getattr(awaitd.devices, "__wrapped__")


def test_two_threads_open_a_device_once(python, clean):
    process = python(
        """
        import awaitd, threading
        found = []
        barrier = threading.Barrier(8)

        def work():
            barrier.wait()
            found.append(awaitd.device("one"))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(len(found), len(set(map(id, found))))
        """,
        env={"AWAITD_DEVICES": "one=virtual:can"},
    )
    ends_with(process, 0)
    assert process.stdout == "8 1\n"


def test_script_tells_of_itself_in_plain_python(python):
    process = python(
        """
        import awaitd
        s = awaitd.script
        print(s.name, s.stopping, s.start_reason, s.generation)
        """
    )
    ends_with(process, 0)
    assert process.stdout == "-c None start 1\n"


# ---- python3 -m awaitd ----


def test_module_runs_the_three_lines(module, log):
    process = module(THREE_LINES, "-d", f"CANbus=replay:{log}")
    ends_with(process, 0)
    assert process.stdout == "123#0102\n"
    assert process.stderr == ""


def test_module_takes_devices_of_the_environment_too(module, log):
    process = module(
        THREE_LINES + "\nfrom awaitd.devices import other; print(other.kind)",
        "-d",
        f"CANbus=replay:{log}",
        env={"AWAITD_DEVICES": "CANbus=virtual:can;other=virtual:bytes"},
    )
    ends_with(process, 0)
    assert process.stdout == "123#0102\nbytes\n"


def test_module_runs_what_ends_in_asyncio_run(module, log):
    process = module(
        """
        import asyncio, sys
        from awaitd.devices import CANbus

        async def main():
            async for frame in CANbus.queue():
                print(frame)

        if __name__ == "__main__":
            asyncio.run(main())
        """,
        "-d",
        f"CANbus=replay:{log},speed=max",
    )
    ends_with(process, 0)
    assert process.stdout == "123#0102\n" * 3


def test_module_gives_arguments_name_and_file(module):
    process = module(
        """
        import sys, pickle
        class Own: pass
        print(sys.argv[1:], __name__, __file__ == sys.argv[0])
        print(type(pickle.loads(pickle.dumps(Own()))).__name__)
        print(sys.modules["__main__"].Own is Own)
        """,
        args=["-d", "x", "--y"],
    )
    ends_with(process, 0)
    assert process.stdout.splitlines() == [
        "['-d', 'x', '--y'] __main__ True",
        "Own",
        "True",
    ]


def test_module_finds_helpers_beside_the_script(module, tmp_path):
    (tmp_path / "helper.py").write_text("VALUE = 5\n")
    process = module("import helper; print(helper.VALUE)")
    ends_with(process, 0)
    assert process.stdout == "5\n"


@pytest.mark.parametrize(
    "end, status", [("raise SystemExit(3)", 3), ("import sys; sys.exit()", 0)]
)
def test_module_exits_with_the_scripts_status(module, end, status):
    ends_with(module(end), status)


def test_module_shows_the_traceback_of_the_script(module):
    process = module("await __import__('asyncio').sleep(0)\n1 / 0\n")
    assert process.finish() == 1
    assert "ZeroDivisionError" in process.stderr
    assert 'script.py", line 2' in process.stderr


def test_module_with_a_device_that_is_no_good_says_so(module):
    ends_with(module("pass", "-d", "CANbus=lin:x"), 78, 'no driver "lin"')


def test_module_with_a_script_that_is_missing_says_so(start_process):
    process = start_process(sys.executable, "-m", "awaitd", "/nowhere/x.py")
    ends_with(process, 78, "/nowhere/x.py")


def test_module_with_a_device_refused_ends_before_the_script(module):
    process = module("print('ran')", "-d", "CANbus=can:nope0")
    ends_with(process, 69, "awaitd: error: device CANbus: ")
    assert process.stderr.count("\n") == 1
    assert process.stdout == ""


def test_module_with_a_device_given_twice_says_so(module):
    process = module("pass", "-d", "one=virtual:can", "-d", "one=virtual:bytes")
    ends_with(process, 2, "device one is given twice")


@pytest.mark.parametrize("source", ["if x ==:\n    pass\n", "x = (\n"])
def test_module_shows_a_syntax_error_as_python3_does(module, tmp_path, source):
    process = module(source)
    assert process.finish() == 1
    lines = process.stderr.splitlines()
    assert lines[0] == f'  File "{tmp_path / "script.py"}", line 1'
    assert lines[-1].startswith("SyntaxError: ")


def test_module_shows_the_scripts_frames_only(module):
    process = module(
        """
        import asyncio
        async def main():
            from awaitd.devices import typo
        asyncio.run(main())
        """
    )
    assert process.finish() == 1
    assert "awaitd/" not in process.stderr
    assert "in main" in process.stderr
    last = process.stderr.splitlines()[-1]
    assert last.startswith("awaitd.UnknownDevice: no device is called 'typo'")


def test_module_shows_no_own_frame_in_what_led_to_an_error(module):
    process = module(
        """
        try:
            from awaitd.devices import typo
        except ImportError as error:
            raise ExceptionGroup("both", [error, ValueError()])
        """
    )
    assert process.finish() == 1
    assert "awaitd/" not in process.stderr
    assert process.stderr.count("UnknownDevice") == 2


FINALLY = """
    import asyncio
    async def main():
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            print("brakes on", flush=True)
"""


@pytest.mark.parametrize("way", ["await main()", "asyncio.run(main())"])
@pytest.mark.parametrize(
    "number, status", [(signal.SIGTERM, 0), (signal.SIGINT, 130)]
)
def test_module_stopped_runs_finally(module, way, number, status):
    process = module(textwrap.dedent(FINALLY) + way)
    process.line("ready")
    process.signal(number)
    process.line("brakes on")
    ends_with(process, status)


def test_module_terminated_without_a_loop_ends(module):
    process = module(
        """
        import time
        try:
            print("ready", flush=True)
            time.sleep(60)  # nothing in it is half done when it is interrupted
        finally:
            print("brakes on", flush=True)
        """
    )
    process.line("ready")
    process.signal(signal.SIGTERM)
    process.line("brakes on")
    ends_with(process, 0)


def test_module_terminated_keeps_the_status_of_sys_exit(module):
    process = module(
        """
        import asyncio, sys
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            sys.exit(9)
        """
    )
    process.line("ready")
    process.signal(signal.SIGTERM)
    ends_with(process, 9)


def test_module_without_a_script_shows_its_usage(start_process):
    process = start_process(sys.executable, "-m", "awaitd")
    assert process.finish() == 2
    assert "usage: python3 -m awaitd" in process.stderr


def test_version_is_told():
    assert awaitd.__version__.count(".") == 2


# ---- the package ----


def test_unknown_device_is_awaitds_and_can_be_pickled():
    with pytest.raises(awaitd.UnknownDevice) as caught:
        awaitd.device("nobody")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is awaitd.UnknownDevice
    assert type(copy).__module__ == "awaitd"


def test_package_has_no_public_names_besides_its_own():
    public = {name for name in dir(awaitd) if not name.startswith("_")}
    assert public - {"devices"} == set(awaitd.__all__) - {"__version__"}


@pytest.fixture
def built_for(tmp_path):
    """A build folder whose extension is for Pythons that are not this one."""

    def make(*versions: str) -> Path:
        package = Path(awaitd.__file__).parent
        shutil.copytree(package, tmp_path / "awaitd")
        for version in versions:
            name = f"_awaitd.cpython-{version}-x86_64-linux-gnu.so"
            (tmp_path / name).touch()
        return tmp_path

    return make


@pytest.mark.parametrize(
    "versions, there",
    [(("399", "398"), "has it for 3.98, 3.99"), ((), "has it for none")],
)
def test_import_by_a_python_it_is_not_built_for_says_so(
    python, built_for, versions, there
):
    folder = built_for(*versions)
    process = python("import awaitd", env={"PYTHONPATH": os.fspath(folder)})
    assert process.finish() == 1
    own = "%d.%d" % sys.version_info[:2]
    last = process.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: awaitd's extension is not")
    assert f"this Python, {own}: {folder} {there}" in last
    assert f"./run extension {sys.executable}" in last
    assert "During handling" not in process.stderr


def test_too_many_open_files_comes_with_advice(python):
    process = python(
        """
        import awaitd, resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))
        devices = []
        try:
            while True:
                devices.append(awaitd.open("virtual:can"))
        except awaitd.DeviceError as error:
            print(error.errno, error.advice)
        """
    )
    ends_with(process, 0)
    assert process.stdout.startswith("24 ")
    assert "ulimit -n" in process.stdout
    assert "LimitNOFILE=" in process.stdout
