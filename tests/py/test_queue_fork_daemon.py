"""os.fork() in a script of the daemon."""

from __future__ import annotations

import textwrap

import pytest

pytestmark = pytest.mark.daemon


def test_forked_child_of_a_script_ends_and_the_daemon_goes_on(
    run_daemon, tmp_path
):
    script = tmp_path / "forks.py"
    script.write_text(
        textwrap.dedent(
            """
            import os
            import awaitd
            from awaitd.devices import bus

            queue = bus.queue()
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    queue.get_nowait()
                except awaitd.Error as error:
                    status = 7 if "os.fork()" in str(error) else 2
                finally:
                    os._exit(status)
            _, status = os.waitpid(pid, 0)
            print("child", os.waitstatus_to_exitcode(status))
            await bus.send(awaitd.CanFrame(1))
            """
        )
    )
    process = run_daemon("run", "-q", "-d", "bus=virtual:can", script)
    assert process.finish() == 0, process.stderr
    assert process.stdout == "child 7\n"
