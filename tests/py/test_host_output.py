"""What hosted scripts print, and how their errors are reported."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest
from hosted import NO_STALLS, host  # noqa: F401

pytestmark = pytest.mark.daemon

IDLE = "import asyncio\nawait asyncio.sleep(0)\n"


def of_script(process, name="one") -> list[str]:
    """The stderr lines of this script, without its name."""
    prefix = f"{name}: "
    return [
        line.removeprefix(prefix)
        for line in process.stderr.splitlines()
        if line.startswith(prefix)
    ]


# ---- exit status ----


@pytest.mark.parametrize(
    "line, status, said",
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("raise SystemExit('no brakes')", 1, "no brakes\n"),
        ("async def main(): sys.exit(4)\nasyncio.run(main())", 4, ""),
        ("await asyncio.sleep(0)\nsys.exit(5)", 5, ""),
        (
            "async def quit(): sys.exit(6)\n"
            "await asyncio.create_task(quit())",
            6,
            "",
        ),
        ("t = threading.Thread(target=sys.exit, args=(7,)); t.start()", 0, ""),
    ],
)
def test_h16_system_exit_is_the_scripts_status(host, line, status, said):
    text = f"import asyncio, sys, threading\n{line}\n"
    process = host.run(text, status=status, settings=NO_STALLS)
    assert process.stderr == said


def test_exit_of_one_script_leaves_the_other(host):
    process = host.run(
        one="import sys\nsys.exit(3)\n",
        two="import asyncio\nawait asyncio.sleep(0.3)\nprint('still here')\n",
        status=3,
    )
    assert process.stdout == "two: still here\n"


def test_threads_are_waited_for_after_an_error(host):
    process = host.run(
        """
        import threading, time
        def work():
            time.sleep(0.3)
            print("first")
            threading.Thread(target=lambda: print("second")).start()
        threading.Thread(target=work).start()
        raise RuntimeError("brakes")
        """,
        status=1,
    )
    assert process.stdout == "first\nsecond\n"


def test_thread_pool_left_open_does_its_work(host):
    process = host.run(
        """
        import time
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(1)
        def work(number):
            time.sleep(1.3)
            print("done", number)
        for number in range(2):
            pool.submit(work, number)
        """
    )
    assert process.stdout == "done 0\ndone 1\n"


# ---- tracebacks ----


def test_traceback_begins_with_the_script(host):
    process = host.run(
        """
        import asyncio
        async def fail():
            raise ValueError("brakes")
        await fail()
        """,
        status=1,
        settings=NO_STALLS,
    )
    assert process.stderr.splitlines() == [
        "Traceback (most recent call last):",
        f'  File "{host.folder}/script.py", line 5, in <module>',
        "    await fail()",
        f'  File "{host.folder}/script.py", line 4, in fail',
        '    raise ValueError("brakes")',
        "ValueError: brakes",
    ]


def test_traceback_of_asyncio_run_is_that_of_python3(host):
    process = host.run(
        """
        import asyncio
        async def main():
            raise ValueError("brakes")
        asyncio.run(main())
        """,
        status=1,
    )
    lines = process.stderr.splitlines()
    assert lines[1].endswith('script.py", line 5, in <module>')
    assert "_host" not in process.stderr


# ---- attribution, with two scripts ----


def test_h25_unraisable_error_has_its_scripts_name(host):
    process = host.run(
        one="""
        class Bad:
            def __del__(self):
                raise ValueError("in __del__")
        bad = Bad()
        del bad
        """,
        two=IDLE,
    )
    lines = of_script(process)
    assert lines[0].startswith("Exception ignored in: <function Bad.__del__")
    assert lines[-1] == "ValueError: in __del__"


def test_h25_thread_error_has_its_scripts_name(host):
    process = host.run(
        one="""
        import threading
        def work():
            raise ValueError("in a thread")
        threading.Thread(target=work, name="worker").start()
        """,
        two=IDLE,
    )
    lines = of_script(process)
    assert lines[0] == "Exception in thread worker:"
    assert lines[-1] == "ValueError: in a thread"


def test_h25_task_error_never_retrieved_has_its_scripts_name(host):
    process = host.run(
        one="""
        import asyncio
        async def fail():
            raise ValueError("in a task")
        async def main():
            task = asyncio.create_task(fail())
            await asyncio.sleep(0)
        asyncio.run(main())
        """,
        two=IDLE,
    )
    lines = of_script(process)
    assert lines[0] == "Task exception was never retrieved"
    assert lines[-1] == "ValueError: in a task"


def test_h25_callback_error_has_its_scripts_name(host):
    process = host.run(
        one="""
        import asyncio
        loop = asyncio.get_running_loop()
        assert loop.get_exception_handler() is None
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0.01)
        """,
        two=IDLE,
    )
    lines = of_script(process)
    assert lines[0].startswith("Exception in callback ")
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_never_awaited_coroutine_is_warned_of(host):
    process = host.run(
        one="""
        import asyncio
        async def forgotten():
            pass
        async def main():
            forgotten()
        asyncio.run(main())
        """,
        two=IDLE,
    )
    assert any(
        "RuntimeWarning: coroutine 'forgotten' was never awaited" in line
        for line in of_script(process)
    )


LOG = """
    import asyncio, logging, threading
    {setup}
    logging.warning("from {name}")
    thread = threading.Thread(target=logging.warning, args=("thread of {name}",))
    thread.start()
    thread.join()
    await asyncio.to_thread(logging.error, "job of {name}")
"""


@pytest.mark.parametrize("setup", ["", "logging.basicConfig()"])
def test_logging_has_its_scripts_name(host, setup):
    process = host.run(
        one=LOG.format(name="one", setup=setup),
        two=LOG.format(name="two", setup=setup),
    )
    for name in ("one", "two"):
        lines = of_script(process, name)
        assert len(lines) == 3
        assert all(line.endswith(f"of {name}") for line in lines[1:])
        assert lines[0].endswith(f"from {name}")


def test_last_resort_logging_has_its_scripts_name(host):
    text = "import logging\nlogging.getLogger('x').warning('low fuel')\n"
    process = host.run(one=text, two=text)
    assert of_script(process, "one") == ["low fuel"]
    assert of_script(process, "two") == ["low fuel"]


def test_lines_of_two_scripts_do_not_mix(host):
    text = """
        import sys
        for number in range(300):
            for word in ("a", "b", "c\\n"):
                sys.stdout.write(word)
        print("tail", end="")
        """
    process = host.run(one=text, two=text)
    lines = process.stdout.splitlines()
    assert sorted(set(lines)) == [
        *("one: abc", "one: tail", "two: abc", "two: tail"),
    ]
    assert len(lines) == 602


def test_printing_while_printing_does_not_hang(host):
    process = host.run(
        one="""
        import gc
        class Loud:
            def __init__(self):
                self.me = self
            def __del__(self):
                print("gone")
        gc.set_threshold(1)
        for number in range(50):
            Loud()
            print("x" * number, "y")
        """,
        two=IDLE,
    )
    assert process.stdout.count("one: gone\n") == 50


def test_closing_stdout_leaves_the_other_script_its_own(host):
    process = host.run(
        one="import sys\nsys.stdout.close()\n",
        two="import time\ntime.sleep(0.3)\nprint('mine')\n",
    )
    assert process.stdout == "two: mine\n"


# ---- the reader of stdout goes ----


def test_h22_pipe_to_head_ends(host, awaitd_binary):
    script = host.write("script.py", "while True: print('line', flush=True)\n")
    done = subprocess.run(
        ["sh", "-c", '"$@" | head -1', "sh", awaitd_binary, "run", "-q", script],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.stdout == "line\n"
    assert done.stderr.splitlines()[-1].startswith("BrokenPipeError")
    assert "Exception ignored" not in done.stderr


def test_pipe_closed_with_output_buffered_is_not_told_of_twice(
    host, awaitd_binary
):
    script = host.write("script.py", "print('x' * 100, end='')\n")
    done = subprocess.run(
        ["sh", "-c", '{ sleep 0.5; "$@"; } | true', "sh"]
        + [awaitd_binary, "run", "-q", script],
        capture_output=True,
        text=True,
        timeout=20,
        env=os.environ | {"PYTHONUNBUFFERED": ""},
    )
    assert done.stderr == ""


# ---- debugging ----


def test_h18_crash_is_told_with_the_python_stack(host):
    process = host.run(
        """
        import ctypes, resource
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        def crash_here():
            ctypes.string_at(0)
        crash_here()
        """,
        status=-signal.SIGSEGV,
    )
    assert "Segmentation fault" in process.stderr
    assert "in crash_here" in process.stderr


def test_asyncio_debug_mode_works(host):
    process = host.run(
        """
        import asyncio, time
        async def main():
            assert asyncio.get_running_loop().get_debug()
            time.sleep(0.2)
        asyncio.run(main())
        """,
        env={"PYTHONASYNCIODEBUG": "1"},
    )
    assert "Executing <Task finished" in process.stderr


def test_error_kept_by_a_task_shows_no_frame_of_awaitd(host):
    process = host.run(
        """
        import asyncio, sys
        async def leave():
            sys.exit(6)
        await asyncio.wait([asyncio.create_task(leave())])
        """,
        status=6,
    )
    assert "Task exception was never retrieved" in process.stderr
    assert "_host" not in process.stderr


def test_unbuffered_output_by_environment(host):
    process = host.start(
        """
        import asyncio
        print("at once")
        await asyncio.Event().wait()
        """,
        env={"PYTHONUNBUFFERED": "1"},
    )
    process.line("at once")
    process.signal(signal.SIGTERM)
    assert process.finish() == 0
