"""Frames that the kernel sends cyclically, on a real CAN bus."""

from __future__ import annotations

import asyncio
import errno
import sys
import textwrap

import awaitd
import pytest
from can_peers import cansend, ip
from can_protocols import CAN_BCM, require_protocol

DEADLINE_S = 10.0
PERIOD_S = 0.005

# Longer than a few periods: what has not come by then does not come.
SILENCE_S = 0.2


@pytest.fixture(autouse=True, scope="module")
def bcm():
    require_protocol(CAN_BCM)


def open_can(interface: str = "vcan0", **options: object):
    return awaitd.open({"driver": "can", "interface": interface} | options)


def heartbeat(data: bytes = b"\x01", can_id: int = 0x321) -> awaitd.CanFrame:
    return awaitd.CanFrame(can_id, data)


async def take(queue, count: int) -> list[str]:
    """The next frames, as candump shows them."""
    return [str(await queue.get(timeout=DEADLINE_S)) for _ in range(count)]


async def take_until(queue, text: str) -> None:
    while str(await queue.get(timeout=DEADLINE_S)) != text:
        pass


async def is_silent(queue) -> bool:
    """Nothing more comes after what was sent up to now."""
    cansend("vcan0", "7FF#")
    await take_until(queue, "7FF#")
    try:
        await queue.get(timeout=SILENCE_S)
    except TimeoutError:
        return True
    return False


def test_frame_comes_again_and_again():
    async def main():
        with open_can() as device, open_can() as other, other.queue() as queue:
            with device.send_periodic(heartbeat(), PERIOD_S):
                frames = [
                    await queue.get(timeout=DEADLINE_S) for _ in range(5)
                ]
            return frames

    frames = asyncio.run(main())
    assert [str(frame) for frame in frames] == ["321#01"] * 5
    stamps = [frame.timestamp_ns for frame in frames]
    assert stamps == sorted(set(stamps))
    assert not frames[0].is_rx


def test_first_frame_does_not_wait_for_the_period():
    async def main():
        with open_can() as device, device.queue() as queue:
            with device.send_periodic(heartbeat(), 3600):
                return await take(queue, 1)

    assert asyncio.run(main()) == ["321#01"]


def test_fd_frame_is_sent_cyclically_too():
    async def main():
        frame = awaitd.CanFrame(0x321, bytes(range(12)), is_fd=True)
        with open_can() as device, device.queue() as queue:
            with device.send_periodic(frame, PERIOD_S):
                return [await queue.get(timeout=DEADLINE_S) for _ in range(2)]

    for frame in asyncio.run(main()):
        assert (frame.is_fd, frame.data) == (True, bytes(range(12)))


def test_fd_frame_on_a_classic_device_is_refused():
    with open_can(fd="no") as device:
        with pytest.raises(awaitd.DeviceError) as caught:
            device.send_periodic(awaitd.CanFrame(1, is_fd=True), PERIOD_S)
    assert caught.value.errno == errno.EOPNOTSUPP


@pytest.mark.parametrize("new", [b"\x02\x03", heartbeat(b"\x02\x03")])
def test_modified_data_are_sent_and_the_identifier_stays(new):
    async def main():
        with open_can() as device, device.queue() as queue:
            with device.send_periodic(heartbeat(), PERIOD_S) as periodic:
                await take(queue, 2)
                periodic.modify_data(new)
                await take_until(queue, "321#0203")
                after = await take(queue, 3)
                return after, str(periodic.frame)

    assert asyncio.run(main()) == (["321#0203"] * 3, "321#0203")


def test_frame_of_another_identifier_is_no_modification():
    with open_can() as device:
        with device.send_periodic(heartbeat(), PERIOD_S) as periodic:
            with pytest.raises(ValueError, match="identifier"):
                periodic.modify_data(heartbeat(can_id=0x322))
            with pytest.raises(ValueError, match="8 bytes"):
                periodic.modify_data(bytes(9))
            assert str(periodic.frame) == "321#01"


def test_stopped_transmission_is_over():
    async def main():
        with open_can() as device, device.queue() as queue:
            periodic = device.send_periodic(heartbeat(), PERIOD_S)
            await take(queue, 2)
            periodic.stop()
            periodic.stop()
            assert periodic.stopped
            with pytest.raises(awaitd.Error, match="stopped"):
                periodic.modify_data(b"")
            return await is_silent(queue)

    assert asyncio.run(main())


def test_forgotten_transmission_goes_on_until_its_device_closes():
    async def main():
        with open_can() as other, other.queue() as queue:
            with open_can() as device:
                device.send_periodic(heartbeat(), PERIOD_S)
                await take(queue, 3)
            return await is_silent(queue)

    assert asyncio.run(main())


def test_transmissions_of_one_identifier_are_independent():
    async def main():
        with open_can() as device, device.queue() as queue:
            first = device.send_periodic(heartbeat(b"\x01"), PERIOD_S)
            second = device.send_periodic(heartbeat(b"\x02"), PERIOD_S)
            await take_until(queue, "321#01")
            await take_until(queue, "321#02")
            first.stop()
            cansend("vcan0", "7FF#")
            await take_until(queue, "7FF#")
            after = await take(queue, 3)
            second.stop()
            return after

    assert asyncio.run(main()) == ["321#02"] * 3


def test_too_many_transmissions_are_refused_and_places_are_used_again():
    with open_can() as device:
        running = [
            device.send_periodic(heartbeat(can_id=number), 3600)
            for number in range(256)
        ]
        with pytest.raises(awaitd.DeviceError, match="256") as caught:
            device.send_periodic(heartbeat(), 3600)
        assert caught.value.errno == errno.ENOSPC
        running[7].stop()
        device.send_periodic(heartbeat(), 3600)


def test_transmission_ends_with_its_interface(spare_interface):
    async def main():
        with open_can(spare_interface, on_loss="wait") as device:
            with device.queue() as queue:
                periodic = device.send_periodic(heartbeat(), PERIOD_S)
                await take(queue, 2)
                ip("link", "delete", spare_interface)
                ip("link", "add", spare_interface, "type", "vcan")
                ip("link", "set", spare_interface, "up")
                async with asyncio.timeout(DEADLINE_S):
                    seen: list[str] = []
                    while "7FF#" not in seen:
                        cansend(spare_interface, "7FF#")
                        frames = await queue.get_many(64, timeout=0.05)
                        seen += map(str, frames)
                with pytest.raises(awaitd.DeviceLost, match="ended"):
                    periodic.modify_data(b"\x02")
                periodic.stop()

    asyncio.run(main())


def test_link_that_is_down_does_not_end_it(spare_interface):
    async def main():
        with open_can(spare_interface) as device, device.queue() as queue:
            ip("link", "set", spare_interface, "down")
            with device.send_periodic(heartbeat(), PERIOD_S):
                ip("link", "set", spare_interface, "up")
                return await take(queue, 2)

    assert asyncio.run(main()) == ["321#01"] * 2


def test_killed_process_sends_no_more(start_process):
    source = """
        import awaitd, time
        device = awaitd.open("CANbus=can:vcan0")
        device.send_periodic(awaitd.CanFrame(0x321, [1]), 0.005)
        time.sleep(3600)
    """

    async def main():
        with open_can() as device, device.queue() as queue:
            process = start_process(
                sys.executable, "-c", textwrap.dedent(source)
            )
            await take(queue, 3)
            process.kill()
            return await is_silent(queue)

    assert asyncio.run(main())


# What ends a script, and its exit status.
ENDINGS = {
    "return": ("", 0),
    "exception": ("1 / 0", 1),
    "exit": ("raise SystemExit(3)", 3),
    "cancelled": ("raise asyncio.CancelledError", 1),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_transmission_ends_with_its_script_and_with_no_other(
    ending, run_daemon, tmp_path
):
    """Two scripts; the one that goes on sees the other's frames no more."""
    statement, status = ENDINGS[ending]
    short = tmp_path / "short.py"
    short.write_text(
        textwrap.dedent(
            f"""
            import asyncio, awaitd
            from awaitd.devices import CANbus
            q = CANbus.queue()
            while (await q.get()).arbitration_id != 0x323:
                pass  # the other one does not listen yet
            kept = CANbus.send_periodic(awaitd.CanFrame(0x321, [1]), 0.005)
            CANbus.send_periodic(awaitd.CanFrame(0x322, [2]), 0.005)
            while (await q.get()).arbitration_id != 0x322:
                pass
            {statement}
            """
        ),
        encoding="utf-8",
    )
    staying = tmp_path / "staying.py"
    staying.write_text(
        textwrap.dedent(
            """
            import awaitd
            from awaitd.devices import other
            q = other.queue()
            own = other.send_periodic(awaitd.CanFrame(0x323), 0.005)
            quiet = 0
            seen = set()
            # A long row of its own after the other's: these have ended.
            while quiet < 200 or 0x322 not in seen:
                frame = await q.get(timeout=10)
                seen.add(frame.arbitration_id)
                quiet = quiet + 1 if frame.arbitration_id == 0x323 else 0
            print("quiet", flush=True)
            """
        ),
        encoding="utf-8",
    )
    process = run_daemon(
        *("run", "-d", "CANbus=can:vcan0", "-d", "other=can:vcan0"),
        *("-s", staying, "-s", short),
    )
    process.line("quiet")
    assert process.finish() == status, process.stderr
