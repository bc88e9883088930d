"""Replays, in Python: every frame, then the end."""

from __future__ import annotations

import asyncio
import gzip

import pytest
import rig
from rig import ids

import awaitd

pytestmark = pytest.mark.extension


def lines(count: int, step_us: int = 100) -> str:
    return "".join(
        f"(1700000000.{i * step_us % 1000000:06}) can{i % 2} {i % 2048:03X}#"
        f"{i:08X}\n"
        for i in range(count)
    )


@pytest.fixture
def replay(tmp_path):
    """replay(text, **options) -> Device, at speed=max unless told otherwise."""
    devices = []

    def open_log(text: str, name: str = "x.log", **options):
        path = tmp_path / name
        data = text.encode()
        path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        given = {"driver": "replay", "path": path, "speed": "max", **options}
        devices.append(awaitd.open(given))
        return devices[-1]

    yield open_log
    for device in devices:
        device.close()


async def all_of(queue):
    return [frame async for frame in queue]


@pytest.mark.parametrize("name", ["x.log", "x.log.gz"])
def test_replay_gives_every_frame_then_ends(run, replay, name):
    queue = replay(lines(1000), name).queue()
    frames = run(all_of(queue))
    assert [int.from_bytes(f.data, "big") for f in frames] == list(range(1000))
    assert [f.channel for f in frames[:3]] == ["can0", "can1", "can0"]
    assert frames[1].timestamp_ns == 1_700_000_000_000_100_000


def test_replay_end_has_its_reason(run, replay):
    queue = replay(lines(1)).queue()
    run(all_of(queue))
    with pytest.raises(awaitd.QueueClosed) as error:
        queue.get_nowait()
    assert error.value.reason == "end"
    assert queue.closed


def test_replay_end_wakes_who_waits(run, replay):
    """A filter lets nothing pass: only the end can wake it."""
    queue = replay(lines(1000)).queue(
        filters=[{"can_id": 0, "can_mask": 0, "extended": True}]
    )

    async def main():
        with pytest.raises(awaitd.QueueClosed):
            await queue.get()

    run(main())
    stats = queue.stats()
    assert (stats.received, stats.filtered) == (1000, 1000)


def test_replay_starts_with_its_first_queue(run, replay):
    """Whoever comes first misses nothing, however late it comes."""
    device = replay(lines(10))

    async def main():
        await asyncio.sleep(0.01)
        return await all_of(device.queue())

    assert len(run(main())) == 10


def test_replay_at_full_speed_drops_nothing(run, replay):
    """5,000 frames through a queue of four."""
    queue = replay(lines(5000)).queue(depth=4)
    frames = run(all_of(queue))
    assert len(frames) == 5000
    assert all(frame.lost_before == 0 for frame in frames)
    stats = queue.stats()
    assert (stats.dropped, stats.delivered) == (0, 5000)


def test_replay_at_full_speed_waits_for_its_slowest_queue(replay):
    device = replay(lines(100))
    slow, fast = device.queue(depth=2), device.queue()
    rig.until(lambda: slow.qsize() == 2)
    # Until the slow one takes, the fast one gets no more either.
    assert fast.stats().received <= 2
    taken = []
    with pytest.raises(awaitd.QueueClosed):
        while True:
            taken.append(slow.recv(timeout=rig.DEADLINE_S))
    assert ids(taken) == list(range(100))
    first = fast.get_nowait()
    assert fast.qsize() == 99 - first.seq


def test_replay_of_one_channel(run, replay):
    frames = run(all_of(replay(lines(10), channel="can1").queue()))
    assert ids(frames) == [1, 3, 5, 7, 9]


def test_replay_in_a_loop_starts_again(run, replay):
    queue = replay(lines(3), loop=True).queue(depth=4)

    async def main():
        return ids([await queue.get() for _ in range(8)])

    assert run(main()) == [0, 1, 2, 0, 1, 2, 0, 1]


def test_replay_in_real_time_takes_its_time(run, replay):
    queue = replay(lines(3, step_us=20000), speed="1").queue()
    frames = run(all_of(queue))
    gaps = [
        after.monotonic_ns - before.monotonic_ns
        for before, after in zip(frames, frames[1:])
    ]
    assert gaps == [20_000_000, 20_000_000]


def test_replay_with_broken_lines_goes_on(replay, capfd):
    text = lines(2) + "(broken) can0 123#00\n" + lines(1)
    queue = replay(text).queue()
    numbers = []
    with pytest.raises(awaitd.QueueClosed):
        while True:
            numbers += ids([queue.recv(timeout=rig.DEADLINE_S)])
    assert numbers == [0, 1, 0]
    assert ":3: " in capfd.readouterr().err


def test_replay_after_its_end_gives_the_end(run, replay):
    device = replay(lines(5))
    run(all_of(device.queue()))
    assert run(all_of(device.queue())) == []


@pytest.mark.parametrize(
    "text, options, message",
    [
        ("", {}, "no frame to replay"),
        ("nothing\nhere\n", {}, "no frame to replay"),
        (lines(1), {"channel": "can7"}, "no frame of channel can7, only can0"),
    ],
)
def test_log_without_frames_is_a_device_error(replay, text, options, message):
    with pytest.raises(awaitd.DeviceError, match=message):
        replay(text, **options)


def test_real_log_is_replayed_whole(run, data_dir):
    """As many frames as the log has records, however they are written."""
    log = data_dir / "grammar_all_forms.log"
    with awaitd.open(
        {
            "driver": "replay",
            "path": log,
            "speed": "max",
            "max_payload": 2048,
        }
    ) as device:
        frames = run(all_of(device.queue()))
    records = [
        line for line in log.read_text().splitlines() if line.startswith("(")
    ]
    assert len(frames) == len(records)
