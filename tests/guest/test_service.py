"""The service with a real CAN interface, and limits that a container's root
could not set.

Everything else about it is in tests/boot, which needs no guest.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from booted import System, wait_until
from services import (  # noqa: F401
    Service,
    make_service,
    service,
    system,
)

RECEIVE_BUFFER = Path("/proc/sys/net/core/rmem_max")

COUNT = """
    from awaitd.devices import bus
    queue = bus.queue()
    print("ready", flush=True)
    async for frame in queue:
        print(frame, flush=True)
"""


CAN = "{name: bus, driver: can, interface: vcan0}"


@pytest.fixture
def vcan0(system: System) -> Iterator[None]:  # noqa: F811
    """An interface of the service's own system."""
    system.run("ip", "link", "add", "vcan0", "type", "vcan")
    system.run("ip", "link", "set", "vcan0", "up")
    yield
    system.run("ip", "link", "delete", "vcan0")


@pytest.fixture
def put_back() -> Iterator[None]:
    before = RECEIVE_BUFFER.read_text()
    yield
    RECEIVE_BUFFER.write_text(before)


def test_service_gets_frames_without_a_capability(
    service: Service,  # noqa: F811
    vcan0: None,
) -> None:
    service.configure(COUNT, device=CAN)
    service.start()
    service.wait_for_line("ready")
    assert "CapEff:\t0000000000000000" in service.system.path(
        f"/proc/{service.pid}/status"
    ).read_text()
    service.system.run("cansend", "vcan0", "123#0102")
    service.wait_for_line("123#0102")
    service.wait_for("StatusText", "1 script runs, 1 frame received, 0 lost")


def test_service_that_takes_too_much_memory_is_restarted(
    service: Service,  # noqa: F811
) -> None:
    service.configure(
        """
        import asyncio, pathlib
        once = pathlib.Path("once")
        if not once.exists():
            once.touch()
            hoard = b"x" * (256 << 20)
        print("modest", flush=True)
        await asyncio.Event().wait()
        """
    )
    service.drop_in("test", "MemoryMax=128M\nMemorySwapMax=0\nRestartSec=100ms")
    service.system.run("systemctl", "start", service.unit, status=None)
    service.wait_for_line("modest")
    assert service.show("NRestarts") == "1"
    assert "oom-kill" in service.journal()


def test_priority_and_cpus_with_the_drop_in_are_real(
    service: Service,  # noqa: F811
) -> None:
    service.configure(
        device="{name: bus, driver: virtual, receive_own: yes, priority: 10,"
        " cpus: 0}"
    )
    service.link("realtime")
    service.start()
    journal = service.journal()
    assert "drop-in" not in journal
    assert "the reader runs" not in journal
    threads = service.system.run("chrt", "-a", "-p", service.pid)
    assert threads.count("SCHED_FIFO") == 1, threads


def test_kernel_setting_that_is_installed_gives_the_receive_buffer(
    service: Service,  # noqa: F811
    vcan0: None,
    put_back: None,
) -> None:
    """To a daemon that may not force it."""
    service.configure(COUNT, device=CAN)
    service.start()
    service.wait_for_line("ready")
    assert "bytes of receive buffer" in service.journal()
    # The kernel's own: the service's system can only read it.
    file = service.system.path("/usr/local/lib/sysctl.d/50-awaitd.conf")
    subprocess.run(["sysctl", "-p", file], check=True)
    service.system.run("systemctl", "restart", service.unit)
    wait_until(
        lambda: service.journal().count("ready") == 2, service.journal
    )
    assert service.journal().count("bytes of receive buffer") == 1
