"""Processes that a hosted script starts."""

from __future__ import annotations

import pytest
from hosted import NO_STALLS, host  # noqa: F401

pytestmark = pytest.mark.daemon


def test_h20_return_codes_of_subprocess_are_right(host):
    process = host.run(
        """
        import subprocess
        for number in range(40):
            code = subprocess.run(["sh", "-c", f"exit {number}"]).returncode
            assert code == number, (code, number)
        print("ok")
        """
    )
    assert process.stdout == "ok\n"


@pytest.mark.parametrize("setup", ["", "import uvloop; uvloop.install()"])
def test_h20_return_codes_of_asyncio_subprocess_are_right(host, setup):
    if setup:
        pytest.importorskip("uvloop")
    process = host.run(
        f"""
        import asyncio
        {setup}
        async def run(number):
            child = await asyncio.create_subprocess_exec(
                "sh", "-c", f"echo {{number}}; exit {{number}}",
                stdout=asyncio.subprocess.PIPE,
            )
            out, _ = await child.communicate()
            return int(out), child.returncode
        async def main():
            for first in range(0, 40, 8):
                numbers = range(first, first + 8)
                found = await asyncio.gather(*map(run, numbers))
                assert found == [(n, n) for n in numbers], found
        asyncio.run(main())
        print("ok")
        """
    )
    assert process.stdout == "ok\n"


MASK = """
    status = open("/proc/self/status").read().split()
    print(status[status.index("SigBlk:") + 1])
"""


def test_h50_mask_of_a_child_is_empty(host):
    child = host.write("child.py", MASK)
    process = host.run(
        f"""
        import subprocess, sys, threading
        def run():
            subprocess.run([sys.executable, {str(child)!r}], check=True)
        run()
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        """
    )
    assert process.stdout == "0" * 16 + "\n" + "0" * 16 + "\n"


def test_h50_terminate_ends_a_child(host):
    process = host.run(
        """
        import asyncio, subprocess
        child = subprocess.Popen(["sleep", "60"])
        child.terminate()
        print(child.wait(10))
        child = await asyncio.create_subprocess_exec("sleep", "60")
        child.terminate()
        print(await child.wait())
        """
    )
    assert process.stdout == "-15\n-15\n"


def test_children_inherit_no_descriptor(host):
    process = host.run(
        """
        import os, subprocess
        from awaitd.devices import bus, net
        queues = bus.queue(), net.queue()
        print(subprocess.run(
            ["sh", "-c", "ls /proc/self/fd"], close_fds=False,
            stdout=subprocess.PIPE, text=True,
        ).stdout.split())
        """,
        devices=("bus=virtual:can", "net=udp:127.0.0.1:0"),
    )
    # ls itself has its folder open as 3.
    assert process.stdout == "['0', '1', '2', '3']\n"


def test_h19_forked_child_is_told_that_awaitd_is_not_there(host):
    process = host.run(
        """
        import os
        import awaitd
        from awaitd.devices import bus
        q = bus.queue()
        child = os.fork()
        if child == 0:
            try:
                q.get_nowait()
            except awaitd.QueueEmpty:
                os._exit(1)
            except awaitd.Error as error:
                os._exit(42 if "os.fork" in str(error) else 2)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        await bus.send(awaitd.CanFrame(arbitration_id=1))
        print(q.stats())
        """,
        settings=NO_STALLS,
    )
    assert process.stdout.startswith("42\n")
    assert process.stderr == ""


@pytest.mark.parametrize(
    "end, status",
    [("pass", 0), ("sys.exit(5)", 5), ("raise ValueError('child')", 1)],
)
def test_h19_forked_child_that_runs_on_ends_as_in_python3(host, end, status):
    process = host.run(
        f"""
        import atexit, os, sys
        from awaitd.devices import bus
        q = bus.queue()
        child = os.fork()
        if child == 0:
            atexit.register(print, "child's atexit")
            {end}
        else:
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            assert q.stats()
        """
    )
    assert process.stdout == f"child's atexit\n{status}\n"


@pytest.mark.parametrize("number, status", [("SIGTERM", -15), ("SIGHUP", -1)])
def test_forked_child_is_ended_by_a_signal(host, number, status):
    process = host.run(
        f"""
        import os, signal, time
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(9)
        os.kill(child, signal.{number})
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    )
    assert process.stdout == f"{status}\n"


def test_multiprocessing_fork_can_be_terminated(host):
    process = host.run(
        """
        import multiprocessing, time
        context = multiprocessing.get_context("fork")
        child = context.Process(target=time.sleep, args=(60,))
        child.start()
        child.terminate()
        child.join(10)
        print(child.exitcode)
        """
    )
    assert process.stdout == "-15\n"
