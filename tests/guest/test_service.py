"""The service with a real CAN interface, and limits that a container's root
could not set.

Everything else about it is in tests/boot, which needs no guest.
"""

from __future__ import annotations

from services import (  # noqa: F401
    Service,
    make_service,
    service,
    system,
)

COUNT = """
    from awaitd.devices import bus
    queue = bus.queue()
    print("ready", flush=True)
    async for frame in queue:
        print(frame, flush=True)
"""


def test_service_gets_frames_without_a_capability(
    service: Service,  # noqa: F811
) -> None:
    run = service.system.run
    run("ip", "link", "add", "vcan0", "type", "vcan")
    run("ip", "link", "set", "vcan0", "up")
    service.configure(COUNT, device="{name: bus, driver: can, interface: vcan0}")
    service.start()
    service.wait_for_line("ready")
    assert "CapEff:\t0000000000000000" in service.system.path(
        f"/proc/{service.pid}/status"
    ).read_text()
    run("cansend", "vcan0", "123#0102")
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
