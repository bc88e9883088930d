"""Sending: what each frame may ask for, many at once, and giving up."""

from __future__ import annotations

import asyncio
import errno
import time

import pytest
import rig

import awaitd

pytestmark = pytest.mark.extension

# What a virtual bus has under way at most, when nobody reads it on.
UNDER_WAY = 1024


@pytest.fixture
def blocked():
    """A queue that blocks and is full; its bus takes no more, until it is
    closed."""
    with awaitd.open({"driver": "virtual", "send_depth": 4000}) as bus:
        queue = bus.queue(name="blocked", depth=1, overflow="block")
        for number in range(UNDER_WAY + 1):
            bus.send_nowait(rig.can(number))
        rig.until(lambda: bus.stats()["send"].sent == UNDER_WAY + 1)
        yield queue
        queue.close()


@pytest.fixture
def stalled(blocked):
    """The bus of `blocked`: what it is given waits."""
    return blocked.device


def sends(bus: awaitd.Device) -> awaitd.SendStats:
    """The send ledger, which is exact."""
    stats = bus.stats()["send"]
    assert stats.submitted == (
        stats.sent + stats.expired + stats.timed_out + stats.failed
        + stats.pending
    )
    return stats


# ---- timeout ----


def test_timeout_of_a_send_counts(run, stalled):
    async def main():
        with pytest.raises(awaitd.SendTimeout) as error:
            await stalled.send(rig.can(1), timeout=0.01)
        return error.value

    error = run(main())
    assert isinstance(error, TimeoutError)
    assert not isinstance(error, awaitd.SendExpired)
    assert (error.errno, error.device) == (errno.ETIMEDOUT, "virtual")
    assert "send_timeout_s" in error.advice
    assert sends(stalled).timed_out == 1


def test_timeout_of_zero_is_one_attempt(run, bus, q):
    async def main():
        await bus.send(rig.can(7), timeout=0)
        return (await q.get()).arbitration_id

    assert run(main()) == 7


def test_timeout_of_zero_does_not_wait(run, stalled):
    async def main():
        with pytest.raises(awaitd.SendTimeout):
            await stalled.send(rig.can(7), timeout=0)

    run(main())
    assert sends(stalled).timed_out == 1


@pytest.mark.parametrize("name", ["timeout", "expires"])
@pytest.mark.parametrize("value", [-1, float("nan")])
def test_time_that_is_none_is_a_value_error(bus, name, value):
    with pytest.raises(ValueError, match=f"{name} is in seconds"):
        bus.send(rig.can(1), **{name: value})


# ---- expires ----


def test_send_that_expired_is_not_sent(run, stalled):
    async def main():
        with pytest.raises(awaitd.SendExpired) as error:
            await stalled.send(rig.can(1), expires=0.01, timeout=60)
        return error.value

    error = run(main())
    assert isinstance(error, awaitd.SendTimeout)
    assert (error.errno, error.device) == (errno.ECANCELED, "virtual")
    assert sends(stalled).expired == 1


def test_send_expires_from_its_call_on(run, bus, q):
    """Not from when it is awaited."""

    async def main():
        send = bus.send(rig.can(1), expires=0.001)
        deadline = time.monotonic() + 0.001
        while time.monotonic() <= deadline:
            await asyncio.sleep(0)
        with pytest.raises(awaitd.SendExpired):
            await send

    run(main())
    assert q.stats().received == 0


def test_send_that_expires_late_is_sent(run, bus, q):
    async def main():
        await bus.send(rig.can(1), expires=60)
        await bus.send(rig.can(2), expires=float("inf"))
        return rig.ids([await q.get(), await q.get()])

    assert run(main()) == [1, 2]


# ---- confirm ----


def test_confirm_gives_the_frame_with_its_echos_timestamps(run, bus, q):
    async def main():
        frame = awaitd.CanFrame(0x123, b"\x01\x02")
        sent = await bus.send(frame, confirm=True)
        return frame, sent, await q.get()

    frame, sent, received = run(main())
    assert isinstance(sent, awaitd.CanFrame)
    assert sent.equals(frame)
    assert sent.timestamp_ns == received.timestamp_ns > 0
    assert sent.monotonic_ns == received.monotonic_ns
    assert (sent.device, sent.channel) == ("bus", "bus")
    assert not sent.is_rx


def test_confirm_waits_for_the_echo(run, bus):
    """The bus takes the frame, but a full queue keeps its echo from being
    read."""
    full = bus.queue(depth=1, overflow="block")
    bus.send_nowait(rig.can(1))
    rig.until(lambda: full.qsize() == 1)

    async def main():
        with pytest.raises(awaitd.SendTimeout, match="not confirmed in time"):
            await bus.send(rig.can(2), confirm=True, timeout=0.01)

    run(main())
    assert sends(bus).timed_out == 1


def test_confirm_where_it_cannot_be_is_a_device_error(run):
    async def main():
        with awaitd.open("udp:127.0.0.1:0") as net:
            datagram = awaitd.Datagram(b"x", ("127.0.0.1", 9))
            with pytest.raises(awaitd.DeviceError, match="cannot confirm"):
                await net.send(datagram, confirm=True)
            return net.stats()["send"].submitted

    assert run(main()) == 0


# ---- giving up ----


def test_cancelled_send_that_waits_is_not_sent(run, stalled):
    before = sends(stalled)

    async def main():
        task = asyncio.create_task(stalled.send(rig.can(1), timeout=60))
        await asyncio.sleep(0)
        assert sends(stalled).submitted == before.submitted + 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while sends(stalled).pending:
            await asyncio.sleep(0)

    run(main())
    assert sends(stalled).expired == 1
    assert sends(stalled).sent == before.sent


def test_timed_out_task_takes_its_frame_with_it(run, stalled):
    """asyncio.timeout() is a cancellation."""

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await stalled.send_many(rig.cans(range(3)), timeout=60)
        while sends(stalled).pending:
            await asyncio.sleep(0)

    run(main())
    assert sends(stalled).expired == 3


def test_cancelled_send_leaves_others_in_their_place(run, stalled, blocked):
    others = stalled.queue(
        name="others", filters=[{"can_id": 2000, "can_mask": 0x7FC}]
    )

    async def main():
        tasks = [
            asyncio.create_task(stalled.send(rig.can(number), timeout=60))
            for number in (2001, 2002, 2003)
        ]
        await asyncio.sleep(0)
        tasks[1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[1]
        while not sends(stalled).expired:
            await asyncio.sleep(0)
        blocked.close()
        await asyncio.gather(tasks[0], tasks[2])
        return rig.ids([await others.get(), await others.get()])

    assert run(main()) == [2001, 2003]
    assert others.stats().pending == 0


def test_dropped_send_is_not_sent(run, stalled):
    async def main():
        send = stalled.send(rig.can(1), timeout=60)
        send.send(None)
        send.close()
        del send
        while sends(stalled).pending:
            await asyncio.sleep(0)

    run(main())
    assert sends(stalled).expired == 1


def test_cancelled_send_is_counted_whatever_became_of_it(run, bus, q):
    """It is a race that the frame may win."""

    async def main():
        task = asyncio.create_task(bus.send(rig.can(1)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while sends(bus).pending:
            await asyncio.sleep(0)

    run(main())
    assert sends(bus).sent + sends(bus).expired == 1
    assert q.stats().received == sends(bus).sent


# ---- send_nowait ----


def test_send_nowait_sends_without_a_loop(bus, q):
    assert bus.send_nowait(rig.can(7)) is None
    assert q.recv(rig.DEADLINE_S).arbitration_id == 7


def test_send_nowait_keeps_its_place_among_the_others(run, bus, q):
    async def main():
        bus.send_nowait(rig.can(1))
        await bus.send(rig.can(2))
        bus.send_nowait(rig.can(3))
        await bus.send(rig.can(4))
        return rig.ids([await q.get() for _ in range(4)])

    assert run(main()) == [1, 2, 3, 4]


def test_send_nowait_beyond_the_depth_raises():
    with awaitd.open({"driver": "virtual", "send_depth": 3}) as bus:
        assert bus.send_depth == 3
        full = bus.queue(depth=1, overflow="block")
        with pytest.raises(awaitd.SendQueueFull) as error:
            for number in range(UNDER_WAY + 100):
                bus.send_nowait(rig.can(number), timeout=60)
                if number <= UNDER_WAY:
                    rig.until(lambda sent=number + 1: sends(bus).sent == sent)
        assert error.value.device == "virtual"
        assert error.value.advice
        # Those that fill queue and bus, and three that wait.
        assert full.qsize() == 1
        assert sends(bus).submitted == UNDER_WAY + 1 + 3


def test_send_nowait_is_flushed_by_close(bus, q):
    for number in range(100):
        bus.send_nowait(rig.can(number))
    bus.close()
    assert rig.ids(q.get_nowait() for _ in range(100)) == list(range(100))


def test_send_nowait_that_fails_is_in_the_ledger(stalled):
    stalled.send_nowait(rig.can(1), timeout=0)
    stalled.send_nowait(rig.can(1), expires=0)
    rig.until(lambda: sends(stalled).pending == 0)
    assert (sends(stalled).timed_out, sends(stalled).expired) == (1, 1)


def test_send_nowait_on_a_closed_device_raises(bus):
    bus.close()
    with pytest.raises(awaitd.DeviceLost):
        bus.send_nowait(rig.can(1))


def test_send_nowait_cannot_confirm(bus):
    with pytest.raises(TypeError, match="no argument 'confirm'"):
        bus.send_nowait(rig.can(1), confirm=True)


# ---- send_many ----


def test_send_many_sends_in_order(run, bus, q):
    async def main():
        assert await bus.send_many(rig.cans(range(500))) is None
        return rig.ids([await q.get() for _ in range(500)])

    assert run(main()) == list(range(500))
    assert sends(bus).sent == 500


def test_send_many_wakes_once(loop_class, bus):
    loop = loop_class()
    try:
        loop.run_until_complete(bus.send_many(rig.cans(range(500))))
        assert loop.wakes == 1
    finally:
        loop.close()


def test_send_many_takes_any_iterable(run, bus, q):
    async def main():
        await bus.send_many(rig.can(number) for number in (3, 4))
        return rig.ids([await q.get(), await q.get()])

    assert run(main()) == [3, 4]


def test_send_many_of_none_is_done(run, bus):
    async def main():
        assert await bus.send_many([]) is None
        assert await bus.send_many([], confirm=True) == []
        assert await bus.send_many([], return_exceptions=True) == []

    run(main())
    assert sends(bus).submitted == 0


def test_send_many_confirms_each(run, bus, q):
    async def main():
        sent = await bus.send_many(rig.cans([5, 5, 6]), confirm=True)
        return sent, [await q.get() for _ in range(3)]

    sent, received = run(main())
    assert rig.ids(sent) == [5, 5, 6]
    assert [frame.timestamp_ns for frame in sent] == [
        frame.timestamp_ns for frame in received
    ]


def test_send_many_is_accepted_all_or_none(run):
    async def main():
        with awaitd.open({"driver": "virtual", "send_depth": 10}) as bus:
            with pytest.raises(awaitd.SendQueueFull, match="send 10 at most"):
                await bus.send_many(rig.cans(range(11)))
            await bus.send_many(rig.cans(range(10)))
            return sends(bus)

    stats = run(main())
    assert (stats.submitted, stats.sent) == (10, 10)


def test_send_many_raises_the_first_failure_and_says_how_far(run, bus):
    frames = [
        awaitd.CanFrame(1, bytes(8)),
        awaitd.CanFrame(2, bytes(12), is_fd=True),
        awaitd.CanFrame(3, bytes(8)),
    ]

    async def main():
        with awaitd.open("virtual:can,max_payload=8") as classic:
            with pytest.raises(awaitd.DeviceError) as error:
                await classic.send_many(frames)
            return error.value, sends(classic)

    error, stats = run(main())
    assert error.errno == errno.EMSGSIZE
    assert error.__notes__ == [
        "send_many: that was frame 1 of 3, counted from 0; 2 were sent"
    ]
    assert (stats.sent, stats.failed) == (2, 1)


def test_send_many_reports_each_failure_in_its_place(run, bus):
    frames = [
        awaitd.CanFrame(1, bytes(12), is_fd=True),
        awaitd.CanFrame(2, bytes(8)),
    ]

    async def main():
        with awaitd.open("virtual:can,max_payload=8") as classic:
            plain = await classic.send_many(frames, return_exceptions=True)
            confirmed = await classic.send_many(
                frames, confirm=True, return_exceptions=True
            )
            return plain, confirmed

    plain, confirmed = run(main())
    assert isinstance(plain[0], awaitd.DeviceError) and plain[1] is None
    assert isinstance(confirmed[0], awaitd.DeviceError)
    assert confirmed[1].arbitration_id == 2


def test_send_many_of_what_cannot_be_sent_here_sends_nothing(bus, q):
    with pytest.raises(TypeError):
        bus.send_many([rig.can(1), b"x"])
    with pytest.raises(TypeError):
        bus.send_many(7)
    assert sends(bus).submitted == 0


def test_send_many_times_out_as_one(run, stalled):
    async def main():
        with pytest.raises(awaitd.SendTimeout):
            await stalled.send_many(rig.cans(range(4)), timeout=0.01)

    run(main())
    assert sends(stalled).timed_out == 4


def test_send_many_that_is_not_awaited_warns(bus):
    with pytest.warns(RuntimeWarning, match=r"send_many\(\) on device bus was"):
        bus.send_many(rig.cans([1]))


# ---- arguments ----


def test_arguments_can_be_given_by_position(run, bus, q):
    async def main():
        await bus.send(rig.can(1), 1.0, False, True, None)
        await bus.send(frame=rig.can(2))
        return rig.ids([await q.get(), await q.get()])

    assert run(main()) == [1, 2]


@pytest.mark.parametrize(
    "arguments, keywords, message",
    [
        ((), {}, "needs frame"),
        ((1, 2, 3, 4, 5, 6), {}, "at most 5"),
        ((1,), {"frame": 1}, "twice"),
        ((1,), {"retries": 1}, "no argument 'retries'"),
    ],
)
def test_arguments_that_are_no_good_are_a_type_error(
    bus, arguments, keywords, message
):
    with pytest.raises(TypeError, match=message):
        bus.send(*arguments, **keywords)
