"""CAN identifiers that the kernel watches, on a real CAN bus."""

from __future__ import annotations

import asyncio
import errno
import subprocess

import awaitd
import pytest
from can_peers import cansend, ip, send_raw
from can_protocols import CAN_BCM, require_protocol

DEADLINE_S = 10.0


@pytest.fixture(autouse=True, scope="module")
def bcm() -> None:
    require_protocol(CAN_BCM)


def open_bcm(watch: str, interface: str = "vcan0", **options: object):
    return awaitd.open(
        {"driver": "bcm", "interface": interface, "watch": watch} | options
    )


def seen(watch: str, *sent: str) -> list[str]:
    """What comes of these frames; `7AA#` at the end always does."""

    async def main() -> list[str]:
        with open_bcm(f"{watch} 7AA") as device, device.queue() as queue:
            cansend("vcan0", *sent, "7AA#")
            frames: list[str] = []
            while not frames or frames[-1] != "7AA#":
                frames.append(str(await queue.get(timeout=DEADLINE_S)))
            stats = queue.stats()
            assert stats.received == stats.delivered == len(frames)
            return frames[:-1]

    return asyncio.run(main())


def test_what_is_not_watched_is_kept_back():
    assert seen("123", "122#01", "00000123#01", "123##101", "123#02") == [
        "123#02"
    ]


def test_without_a_mask_every_frame_comes():
    assert seen("123", "123#01", "123#01") == ["123#01", "123#01"]


def test_only_a_change_of_the_mask_s_bits_comes():
    sent = ["123#0000", "123#0000", "123#00FF", "123#0100", "123#01AA"]
    assert seen("123#FF", *sent) == ["123#0000", "123#0100"]


def test_length_counts_where_all_does():
    sent = ["123#00", "123#0000", "123#0000"]
    assert seen("123#*", *sent) == ["123#00", "123#0000"]
    assert seen("123#FF", *sent) == ["123#00"]


def test_29_bits_and_fd_are_watched_apart():
    sent = ["12345678#01", "12345678#01", "123##0" + "00" * 9 + "01FFFF"]
    assert seen("12345678#* 123##0000000000000000FFFF", *sent) == [
        "12345678#01",
        "123##0" + "00" * 9 + "01FFFF",
    ]


def test_frames_that_no_watch_is_for_are_survived():
    """Remote and error frames of the identifier."""
    odd = ["123#R", "123#R8", "20000123#0000000000000000", "123##0"]
    for watch in ("123", "123#FFFFFFFFFFFFFFFF", "123#*"):
        assert seen(watch, *odd, "123#01") == ["123#01"]


def test_raw_dlc_of_a_watched_frame_is_kept():
    async def main():
        with open_bcm("123#*") as device, device.queue() as queue:
            send_raw("vcan0", 0x123, bytes(8), 15)
            return await queue.get(timeout=DEADLINE_S)

    frame = asyncio.run(main())
    assert (frame.dlc, frame.raw_dlc) == (8, 15)


def test_unchanged_frame_that_returns_from_a_timeout_comes():
    """The kernel forgets what it knew when the frame stayed away; the event
    itself is read in C, by test_bcm."""

    async def main():
        with open_bcm("123#*:0.05") as device, device.queue() as queue:
            cansend("vcan0", "123#01")
            await queue.get(timeout=DEADLINE_S)
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    # Longer apart than the timeout, whatever the machine does.
                    await asyncio.sleep(0.06)
                    cansend("vcan0", "123#01")
                    if frames := await queue.get_many(1, timeout=0.5):
                        return str(frames[0])

    assert asyncio.run(main()) == "123#01"


def test_nothing_is_sent_on_it():
    async def main():
        with open_bcm("123") as device:
            await device.send(awaitd.CanFrame(0x123))

    with pytest.raises(awaitd.DeviceError, match="nothing can be sent"):
        asyncio.run(main())


def test_interface_may_be_called_by_an_alternative_name(spare_interface):
    name = "the-bus-of-the-gearbox"
    ip("link", "property", "add", "dev", spare_interface, "altname", name)
    with open_bcm("123", name) as device, device.queue() as queue:
        cansend(spare_interface, "123#01")
        frame = queue.recv(timeout=DEADLINE_S)
    assert (str(frame), frame.channel) == ("123#01", spare_interface)


def test_adapter_that_is_not_there_is_named():
    with pytest.raises(awaitd.DeviceError, match="has serial=0042") as caught:
        open_bcm("123", "serial=0042")
    assert caught.value.errno == errno.ENODEV


def test_interface_deleted_while_waiting_raises_device_lost(spare_interface):
    async def main():
        with open_bcm("123", spare_interface) as device:
            with device.queue() as queue:
                waiting = asyncio.create_task(queue.get(timeout=DEADLINE_S))
                await asyncio.sleep(0)
                ip("link", "delete", spare_interface)
                await waiting

    with pytest.raises(awaitd.DeviceLost):
        asyncio.run(main())


def test_interface_that_comes_back_is_watched_again(spare_interface):
    async def main():
        with open_bcm("123#*", spare_interface, on_loss="wait") as device:
            with device.queue() as queue:
                cansend(spare_interface, "123#01")
                await queue.get(timeout=DEADLINE_S)
                ip("link", "delete", spare_interface)
                ip("link", "add", spare_interface, "type", "vcan")
                ip("link", "set", spare_interface, "up")
                async with asyncio.timeout(DEADLINE_S):
                    while True:
                        cansend(spare_interface, "123#02")
                        if frames := await queue.get_many(1, timeout=0.05):
                            return str(frames[0]), frames[0].lost_cause

    assert asyncio.run(main()) == ("123#02", "away")


def test_missing_interface_is_named():
    with pytest.raises(awaitd.DeviceError, match="no interface nosuch0"):
        open_bcm("123", "nosuch0")


def test_interface_of_another_kind_is_refused():
    with pytest.raises(awaitd.DeviceError, match="lo is no CAN interface"):
        open_bcm("123", "lo")


def test_c_program_that_wants_a_bus_skips_nothing(awaitd_binary):
    build = awaitd_binary.parent.parent
    run = subprocess.run(
        [build / "tests/unit/test_bcm"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "SKIPPED" not in run.stdout + run.stderr
