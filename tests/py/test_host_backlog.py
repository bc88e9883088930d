"""A script that never catches up: its queue is never empty when it looks."""

from __future__ import annotations

import signal

import pytest
from hosted import host  # noqa: F401

pytestmark = pytest.mark.daemon


def test_stop_reaches_a_script_whose_queue_is_never_empty(host, tmp_path):
    log = tmp_path / "busy.log"
    log.write_text(
        "".join(f"({i}.000000) can0 123#{i:04X}\n" for i in range(1, 2000))
    )
    process = host.start(
        """
        import asyncio
        from awaitd.devices import busy

        q = busy.queue()
        print("ready", flush=True)
        try:
            async for frame in q:
                sum(range(2000))
        finally:
            await asyncio.sleep(0.1)
            print("swept up", flush=True)
        """,
        devices=(f"busy=replay:{log},speed=max,loop=yes",),
    )
    process.line("ready")
    process.signal(signal.SIGTERM)
    assert process.finish() == 0
    # By the first cancel: nothing had to be asked twice.
    assert "swept up" in process.stdout
    assert "again" not in process.stderr
    assert "Traceback" not in process.stderr
