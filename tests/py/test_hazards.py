"""Hazards of hosting Python that are no other file's matter: by their rows in
tests/support/hazards.py."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import layers
import pytest
from hosted import host  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]

daemon = pytest.mark.daemon


# ---- the end of Python ----


@daemon
def test_h03_thread_that_waits_at_the_end_meets_no_dead_interpreter(host):
    process = host.run(
        """
        import asyncio, threading
        import awaitd
        from awaitd.devices import bus
        q = bus.queue()
        def wait():
            while True:
                q.recv()
        async def flood():
            while True:
                await bus.send(awaitd.CanFrame(1))
        for work in (wait, wait, lambda: asyncio.run(flood())):
            threading.Thread(target=work, daemon=True).start()
        await asyncio.sleep(0.2)
        print("over")
        """
    )
    assert process.stdout == "over\n"
    assert "Fatal Python error" not in process.stderr


def test_h33_python_is_finalised_in_one_place_and_by_no_exit_handler():
    text = {
        path: (ROOT / path).read_text()
        for path in layers.sources(ROOT)
        if path.endswith(".c")
    }
    finalising = [it for it in text if re.search(r"\bPy_Finali", text[it])]
    # Of the two a process uses one.
    assert finalising == ["pymod/check.c", "pymod/host.c"]
    handlers = r"\b(atexit|on_exit|at_quick_exit|Py_AtExit) ?\("
    assert [it for it in text if re.search(handlers, text[it])] == []


def test_h44_files_that_lock_know_no_python():
    """So no lock of ours is held while somebody waits for the GIL."""
    for path in layers.sources(ROOT):
        text = (ROOT / path).read_text()
        if "pthread_mutex_lock" in text and path.startswith("pymod/"):
            assert path in layers.WITHOUT_PYTHON, path
            assert "Python.h" not in text


# ---- scripts that do not stop ----


@daemon
def test_h10_script_that_ignores_every_cancel_is_abandoned_with_its_stack(host):
    process = host.start(
        """
        import asyncio
        async def deaf():
            print("ready", flush=True)
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass
        asyncio.run(deaf())
        """,
        grace_s=2.0,
        timeout_s=3.0,
    )
    process.line("ready")
    process.signal(signal.SIGTERM)
    assert process.finish() == 1
    assert "cancelled again" in process.stderr
    assert "abandoned, here is where it stands" in process.stderr
    assert "script.py" in process.stderr


@daemon
def test_h13_sleep_that_nothing_interrupts_is_abandoned_with_its_stack(host):
    process = host.start(
        """
        import time
        said = False
        while True:
            # The first KeyboardInterrupt may come before it sleeps.
            try:
                if not said:
                    said = True
                    print("ready", flush=True)
                time.sleep(3600)
            except KeyboardInterrupt:
                pass
        """,
        grace_s=0.2,
        timeout_s=0.6,
    )
    process.line("ready")
    process.signal(signal.SIGTERM)
    assert process.finish() == 1
    assert 'script.py", line 10' in process.stderr


@daemon
def test_h14_reader_and_main_work_while_c_code_keeps_the_gil(
    run_daemon, tmp_path
):
    script = tmp_path / "hog.py"
    script.write_text(
        "from awaitd.devices import net\n"
        "q = net.queue()\n"
        "said = False\n"
        "while True:\n"
        "    try:\n"
        "        if not said:\n"
        "            said = True\n"
        "            print('ready', flush=True)\n"
        "        sum(range(10**12))\n"
        "    except KeyboardInterrupt:\n"
        "        pass\n"
    )
    settings = tmp_path / "settings.yaml"
    settings.write_text("stop_grace_s: 0.2\nstop_timeout_s: 0.6\n")
    report = tmp_path / "stats.json"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = run_daemon(
            *("run", "-c", settings, "-d", f"net=udp:127.0.0.1:{port}"),
            *("--stats-json", report, script),
        )
        process.line("ready")
        for number in range(1000):
            sender.sendto(b"%d" % number, ("127.0.0.1", port))
        process.signal(signal.SIGTERM)
        assert process.finish() == 1
    [queue] = json.loads(report.read_text())["devices"][0]["queues"]
    assert queue["received"] == 1000


# ---- what only a process of its own could contain: reported ----


@daemon
def test_h17_script_that_ends_the_process_is_its_exit_status(host):
    host.run("import os\nos._exit(4)\n", status=4)
    host.run(
        "import os\nos.kill(os.getpid(), 9)\n", status=-signal.SIGKILL
    )
    process = host.run(
        """
        import os, resource
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.abort()
        """,
        status=-signal.SIGABRT,
    )
    assert 'script.py", line 4' in process.stderr


@daemon
@pytest.mark.parametrize(
    "setup, bomb, error",
    [
        ("RLIMIT_AS, 1 << 30", "kept.append(bytearray(1 << 26))", "MemoryError"),
        ("RLIMIT_NOFILE, 200", "kept.append(open('/dev/null'))", "OSError"),
    ],
    ids=["memory", "descriptors"],
)
def test_h39_bomb_under_a_limit_is_its_scripts_error(
    host, tmp_path, setup, bomb, error
):
    begun = tmp_path / "begun"
    process = host.run(
        one=f"""
        import pathlib, resource, time
        # The other one has been read, which takes a descriptor.
        while not pathlib.Path({str(begun)!r}).exists():
            time.sleep(0.01)
        name, size = "{setup}".split(", ")
        size = eval(size)
        resource.setrlimit(getattr(resource, name), (size, size))
        kept = []
        try:
            while True:
                {bomb}
        finally:
            kept.clear()
        """,
        two=f"""
        import pathlib, time
        pathlib.Path({str(begun)!r}).touch()
        time.sleep(0.5)
        print('still here')
        """,
        status=1,
    )
    assert f"one: {error}" in process.stderr
    assert process.stdout == "two: still here\n"


# ---- malloc ----

FAILING = """
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static long left = -1;

__attribute__((constructor)) static void start(void)
{
    left = atol(getenv("FAIL_AT"));
}

static int fails(void)
{
    if (left <= 0 || --left > 0)
        return 0;
    if (write(2, "FAILED\\n", 7) < 0)
        abort();
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}
void *realloc(void *old, size_t size)
{
    return fails() ? NULL : __libc_realloc(old, size);
}
"""


@daemon
def test_h41_reading_survives_every_malloc_that_fails(awaitd_binary, tmp_path):
    """Each call in turn fails, until one run is through without it. As far as
    Python, whose own start does not survive it: so not `awaitd check`."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler here: failing malloc is NOT tested")
    (tmp_path / "failing.c").write_text(FAILING)
    library = tmp_path / "failing.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", library, tmp_path / "failing.c"],
        check=True,
    )
    (tmp_path / "a.py").touch()
    config = tmp_path / "awaitd.yaml"
    config.write_text(
        "devices:\n"
        "  - {name: net, driver: udp, bind: '127.0.0.1:5005'}\n"
        "scripts:\n  - {path: a.py, args: [b]}\n"
    )
    statuses = []
    for number in range(1, 5000):
        done = subprocess.run(
            [awaitd_binary, "run", "--print-effective", "-c", config],
            env=os.environ
            | {"LD_PRELOAD": str(library), "FAIL_AT": str(number)},
            capture_output=True,
            text=True,
        )
        # 64: the command line was not read either.
        assert done.returncode in (0, 64, 70, 78), (number, done)
        statuses.append(done.returncode)
        if "FAILED" not in done.stderr:
            break
    assert statuses[-1] == 0
    # All of reading the file, not just what comes before it.
    assert statuses.count(78) > 50
