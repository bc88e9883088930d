"""The `spi` driver on a real /dev/spidev0.0: what the kernel does, not how fast
it is. Timing is the benchmark's business."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import awaitd
import pytest
from spi_sensor import FRESH, READ_SAMPLE, Reading, Sensor

DEADLINE_S = 60.0
SAMPLING = {"sample": "80", "sample_bytes": 12, "speed_hz": 1000000}
EDGES = SAMPLING | {"data_ready": Sensor.DATA_READY}


def open_spi(
    path: str = Sensor.NODE, /, **options: Any
) -> awaitd.SpiDevice:
    device = awaitd.open({"driver": "spi", "path": path} | options)
    assert isinstance(device, awaitd.SpiDevice)
    return device


def run(main: Any) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(DEADLINE_S):
            return await main

    return asyncio.run(bounded())


async def take(queue: Any, count: int) -> list[awaitd.Frame]:
    return [await queue.get() for _ in range(count)]


def readings(frames: list[awaitd.Frame]) -> list[Reading]:
    return [Reading.parse(frame.data) for frame in frames]


def assert_exact(stats: awaitd.QueueStats) -> None:
    assert stats.received == (
        stats.filtered + stats.delivered + stats.dropped + stats.pending
    )


# ---- transfers ----


def test_transfers_come_back_in_order(sensor):
    async def main() -> None:
        with open_spi(sensor.LOOP_BACK) as chip:
            sent = [bytes([i]) * (i + 1) for i in range(100)]
            assert await asyncio.gather(*map(chip.transfer, sent)) == sent
            assert chip.stats()["send"].sent == 100

    run(main())


def test_transfer_as_long_as_spidevs_buffer(sensor):
    async def main() -> None:
        with open_spi(sensor.LOOP_BACK) as chip:
            sent = bytes(range(256)) * 16
            assert await chip.transfer(sent) == sent
            with pytest.raises(awaitd.DeviceError) as caught:
                await chip.transfer(sent + b"1")
            assert caught.value.errno == errno.EMSGSIZE

    run(main())


def test_segments_are_one_command_unless_deselected(sensor, samples):
    async def main() -> None:
        with open_spi() as chip:
            sensor.play(1)
            command, rest = await chip.transfer(
                [READ_SAMPLE[:1], {"read": 11, "speed_hz": 5e5}]
            )
            assert Reading.parse(command + rest) == (FRESH, 0, samples[0])
            again, once_more = await chip.transfer(
                [{"tx": READ_SAMPLE, "cs_change": True}, READ_SAMPLE]
            )
            assert Reading.parse(again) == Reading.parse(once_more)

    run(main())


def test_words_of_16_bits(sensor):
    async def main() -> None:
        with open_spi(sensor.LOOP_BACK, bits=16, mode=3) as chip:
            assert await chip.transfer(b"abcd") == b"abcd"
            with pytest.raises(awaitd.DeviceError) as caught:
                await chip.transfer(b"abc")
            assert caught.value.errno == errno.EINVAL

    run(main())


def test_transfer_that_fails_is_told_and_the_next_is_made(sensor):
    async def main() -> None:
        with open_spi() as chip:
            sensor.fail(1)
            with pytest.raises(awaitd.DeviceError) as caught:
                await chip.transfer(b"abc")
            assert caught.value.errno == errno.EIO
            assert await chip.transfer(b"abc") == b"abc"

    run(main())


def test_loop_goes_on_while_a_transfer_lasts(sensor):
    async def main() -> None:
        turns = 0
        with open_spi() as chip:
            sensor.delay(3_000_000)
            task = asyncio.create_task(chip.transfer(b"abc"))
            while not task.done():
                await asyncio.sleep(0)
                turns += 1
            assert await task == b"abc"
            assert turns > 10

    run(main())


# ---- opening ----


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"path": "/dev/spidev7.0"}, "there is no /dev/spidev7.0"),
        ({"path": "/dev/null"}, "/dev/null is no SPI device"),
        ({"bits": 12}, "refuses bits: 12"),
        ({"no_cs": True}, "refuses mode 0, no_cs"),
        (SAMPLING | {"data_ready": "nothing"}, 'no GPIO line "nothing"'),
        (SAMPLING | {"data_ready": "gpiochip9:0"}, "/dev/gpiochip9"),
        (SAMPLING | {"period_us": 50}, "raise speed_hz or period_us"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(sensor, options, words):
    with pytest.raises(awaitd.DeviceError, match=words):
        awaitd.open({"driver": "spi", "path": Sensor.NODE} | options)


def test_line_in_use_names_its_user(sensor):
    with open_spi(**EDGES):
        with pytest.raises(awaitd.DeviceError) as caught:
            open_spi(sensor.LOOP_BACK, **EDGES)
    assert caught.value.errno == errno.EBUSY
    assert 'in use by "awaitd"' in str(caught.value)


# ---- samples on edges ----


def test_each_edge_gives_the_sample_of_the_recording(sensor, samples):
    async def main() -> None:
        with open_spi(**EDGES) as imu:
            queue = imu.queue()
            taken = []
            for _ in range(50):
                sensor.play(1)
                taken += await take(queue, 1)
            assert readings(taken) == [
                (FRESH, i, samples[i]) for i in range(50)
            ]
            times = [frame.monotonic_ns for frame in taken]
            assert times == sorted(set(times))
            assert imu.missed == 0
            assert queue.stats().dropped == 0

    run(main())


def test_edges_that_the_kernel_could_not_keep_are_in_the_ledger(sensor):
    """1,024 fit; whatever the reader does while 1,500 come, lasts."""

    async def main() -> None:
        with open_spi(**EDGES) as imu:
            queue = imu.queue(depth=4096)
            sensor.play(1)
            await queue.get()
            sensor.delay(2_000_000)
            busy = asyncio.create_task(imu.transfer(b"abc"))
            await asyncio.to_thread(sensor.play, 1500)
            sensor.delay(0)
            assert await busy == b"abc"
            while imu.missed == 0 or queue.stats().received < 1501:
                await queue.get()
            stats = queue.stats()
            assert_exact(stats)
            assert stats.received == 1501
            assert stats.dropped_kernel == imu.missed
            assert stats.dropped_kernel >= 1500 - 1024 - 64

    run(main())


def test_late_edges_that_are_to_miss_give_the_newest(sensor):
    async def main() -> None:
        with open_spi(**EDGES, late_edges="miss") as imu:
            queue = imu.queue()
            sensor.delay(1_000_000)
            busy = asyncio.create_task(imu.transfer(b"abc"))
            await asyncio.to_thread(sensor.play, 20)
            sensor.delay(0)
            await busy
            seen = 0
            while seen < 20:
                frame = await queue.get()
                seen += 1 + frame.lost_before
            assert Reading.parse(frame.data).number == 19
            stats = queue.stats()
            assert_exact(stats)
            assert stats.received == 20
            assert imu.missed == stats.dropped_kernel > 0

    run(main())


def test_line_that_stands_high_is_served_when_sampling_begins(sensor):
    sensor.play(3)

    async def main() -> None:
        with open_spi(**EDGES) as imu:
            queue = imu.queue()
            assert readings(await take(queue, 1))[0].number == 2
            sensor.play(1)
            assert readings(await take(queue, 1))[0].number == 3

    run(main())


# ---- samples on a period ----


def test_period_samples_and_counts_what_it_had_no_time_for(sensor):
    sensor.play(1)

    async def main() -> None:
        with open_spi(**SAMPLING, period_us=10_000) as imu:
            queue = imu.queue()
            frames = await take(queue, 20)
            assert all(r.number == 0 for r in readings(frames))
            times = [frame.monotonic_ns for frame in frames]
            assert times == sorted(set(times))
            before = imu.overruns
            sensor.delay(50_000)
            # Samples from before may still be there: at each of the others
            # four periods go by.
            while imu.overruns < before + 4:
                await queue.get()
            assert imu.late_max_ns > 0
            assert_exact(queue.stats())

    run(main())


def test_many_samples_in_one_message(sensor):
    async def main() -> None:
        with open_spi(
            **SAMPLING, period_us=5000, samples_per_call=8
        ) as imu:
            queue = imu.queue()
            frames = await take(queue, 16)
            assert all(len(frame) == 12 for frame in frames)
            assert all(Reading.parse(frame.data) for frame in frames)
            assert frames[7].monotonic_ns - frames[0].monotonic_ns == 35e6

    run(main())


def test_samples_that_fail_are_losses(sensor):
    async def main() -> None:
        with open_spi(**EDGES) as imu:
            queue = imu.queue()
            sensor.fail(3)
            sensor.play(4)
            frame = await queue.get()
            assert frame.lost_before + 1 == 4
            assert frame.lost_cause == "kernel"
            assert imu.missed == 0
            assert_exact(queue.stats())

    run(main())


# ---- unplugged ----


def test_unplugged_while_sampling_ends_the_queue(sensor):
    async def main() -> None:
        with open_spi(**SAMPLING, period_us=5000) as imu:
            queue = imu.queue()
            await take(queue, 3)
            sensor.unplug()
            with pytest.raises(awaitd.DeviceLost):
                while True:
                    await queue.get()
            assert_exact(queue.stats())

    run(main())


def test_unplugged_while_waiting_for_an_edge_ends_the_queue(sensor):
    async def main() -> None:
        with open_spi(**EDGES) as imu:
            queue = imu.queue()
            waiting = asyncio.create_task(queue.get())
            await asyncio.sleep(0)
            sensor.unplug()
            with pytest.raises(awaitd.DeviceLost):
                await waiting

    run(main())


def test_unplugged_while_sending_fails_the_transfer(sensor):
    async def main() -> None:
        with open_spi() as chip:
            queue = chip.queue()
            sensor.unplug()
            with pytest.raises(awaitd.DeviceLost):
                await chip.transfer(b"abc")
            with pytest.raises(awaitd.DeviceLost):
                await queue.get()

    run(main())


def test_unplugged_and_plugged_in_samples_on(sensor, samples):
    async def main() -> None:
        with open_spi(
            **SAMPLING, period_us=5000, on_loss="wait"
        ) as imu:
            queue = imu.queue()
            await take(queue, 3)
            sensor.unplug()
            with pytest.raises(awaitd.DeviceDown):
                while True:
                    await imu.transfer(b"abc")
            queue.clear()
            sensor.plug()
            sensor.play(1)
            frame = await queue.get()
            assert "away" in frame.lost_cause
            while Reading.parse(frame.data).sample != samples[0]:
                frame = await queue.get()
            assert_exact(queue.stats())

    run(main())
