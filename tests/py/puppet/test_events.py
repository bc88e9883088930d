"""Events in the stream: queue(events=True)."""

from __future__ import annotations

import asyncio
import copy
import pickle

import pytest
import rig

import awaitd

LINK_DOWN, BUS_STATE, BITRATE, LOST, BACK, TIMEOUT = 2, 3, 5, 6, 7, 8


@pytest.fixture
def device(puppet):
    return puppet.open()


@pytest.fixture
def eventful(device):
    return device.queue(name="eventful", events=True)


def test_event_has_its_place_among_the_frames(puppet, eventful):
    puppet.tell("frame 1", f"event {BUS_STATE} 4 {248 << 16 | 3}", "frame 2")
    one, event, two = (eventful.recv(rig.DEADLINE_S) for _ in range(3))
    assert (one.arbitration_id, two.arbitration_id) == (1, 2)
    assert isinstance(event, awaitd.Event)
    assert not isinstance(event, awaitd.Frame)
    assert (event.kind, event.value) == ("bus-state", "bus-off")
    assert (event.tx_errors, event.rx_errors) == (248, 3)
    assert event.detail == 248 << 16 | 3
    assert (event.device, event.channel) == ("CANbus", "pup0")
    assert event.seq == two.seq == one.seq + 1
    assert one.timestamp_ns <= event.timestamp_ns <= two.timestamp_ns
    assert event.timestamp == pytest.approx(event.timestamp_ns / 1e9)


@pytest.mark.parametrize(
    "order, expected",
    [
        ("1 0 0", ("link-up", 0, 0)),
        ("2 1 0", ("link-down", "admin", 0)),
        ("2 2 0", ("link-down", "carrier", 0)),
        ("3 1 0", ("bus-state", "error-active", 0)),
        ("3 2 0", ("bus-state", "warning", 0)),
        ("3 3 0", ("bus-state", "error-passive", 0)),
        ("3 5 0", ("bus-state", "stopped", 0)),
        ("3 6 0", ("bus-state", "sleeping", 0)),
        ("3 99 0", ("bus-state", "", 0)),
        ("4 0 0", ("restarted", 0, 0)),
        ("5 500000 2000000", ("bitrate", 500000, 2000000)),
        ("6 19 0", ("lost", 19, 0)),
        ("7 0 120", ("back", 0, 120)),
        ("8 0 291", ("timeout", 0, 291)),
        ("9 0 291", ("changed", 0, 291)),
        ("10 0 7", ("overrun", 0, 7)),
        ("11 0 7", ("missed", 0, 7)),
        ("77 -5 7", ("other", -5, 7)),
    ],
)
def test_event_tells_what_it_is(puppet, eventful, order, expected):
    puppet.tell(f"event {order}")
    event = eventful.recv(rig.DEADLINE_S)
    assert (event.kind, event.value, event.detail) == expected
    if event.kind != "bus-state":
        assert event.tx_errors is event.rx_errors is None


def test_event_can_be_matched_printed_and_pickled(puppet, eventful):
    puppet.tell(f"event {BUS_STATE} 3 {128 << 16}", "event 1 0 0")
    event, up = eventful.recv(rig.DEADLINE_S), eventful.recv(rig.DEADLINE_S)
    match event:
        case awaitd.Event("bus-state", "error-passive"):
            pass
        case _:
            pytest.fail("no match")
    assert repr(event).startswith(
        "<awaitd.Event bus-state error-passive tx_errors=128 rx_errors=0 "
        "device='CANbus' channel='pup0' seq=0 timestamp="
    )
    assert repr(up).startswith("<awaitd.Event link-up device=")
    for again in (pickle.loads(pickle.dumps(event)), copy.copy(event)):
        assert repr(again) == repr(event)


def test_event_cannot_be_made_or_sent(puppet, device, eventful):
    with pytest.raises(TypeError):
        awaitd.Event()
    puppet.tell("event 1 0 0")
    with pytest.raises(TypeError, match="sends a CanFrame"):
        device.send_nowait(eventful.recv(rig.DEADLINE_S))


def test_event_is_for_those_who_asked(puppet, device, eventful):
    plain = device.queue()
    puppet.tell("event 1 0 0", "frame 5")
    puppet.settle()
    assert plain.get_nowait().arbitration_id == 5
    assert plain.stats().received == 2
    assert eventful.stats().received == 3


def test_event_passes_every_filter_and_is_counted(puppet, device):
    queue = device.queue(
        events=True, filters=[{"can_id": 5, "can_mask": 0x7FF}]
    )
    puppet.tell("frame 1", "event 1 0 0", "frame 5")
    assert isinstance(queue.recv(rig.DEADLINE_S), awaitd.Event)
    assert queue.recv(rig.DEADLINE_S).arbitration_id == 5
    stats = queue.stats()
    assert (stats.received, stats.filtered, stats.delivered) == (3, 1, 2)
    assert rig.exact(stats)


def test_event_comes_by_every_way_of_getting(run, puppet, eventful):
    async def main():
        puppet.tell("event 1 0 0")
        found = [await eventful.get()]
        puppet.tell("event 2 1 0", "frame 1")
        while len(found) < 3:
            found += await eventful.get_many(2)
        puppet.tell("event 4 0 0")
        async with eventful.lease() as held:
            found += held
        puppet.tell("event 1 0 0")
        async for item in eventful:
            found.append(item)
            break
        return found

    up, down, frame, restarted, again = run(main())
    assert [event.kind for event in (up, down, restarted, again)] == [
        "link-up", "link-down", "restarted", "link-up"
    ]
    assert frame.arbitration_id == 1


def test_event_wakes_a_waiting_task(run, puppet, eventful):
    async def main():
        task = asyncio.create_task(eventful.get(timeout=rig.DEADLINE_S))
        await asyncio.sleep(0)
        puppet.tell("event 1 0 0")
        return (await task).kind

    assert run(main()) == "link-up"


def test_event_lies_in_a_batch(run, puppet, eventful):
    async def main():
        puppet.tell("frame 1 AA", "event 4 0 0", "frame 2")
        return await eventful.get_batch(3, min=3)

    batch = run(main())
    assert [type(item) for item in batch] == [
        awaitd.CanFrame, awaitd.Event, awaitd.CanFrame
    ]
    assert batch[1].kind == "restarted"
    lines = batch.candump().splitlines()
    assert [line.split()[2] for line in lines] == ["001#AA", "002#"]


def test_event_has_a_key_of_its_own_in_a_snapshot(puppet, device):
    queue = device.queue(events=True, overflow="latest", depth=8)
    puppet.tell(
        "frame 5", f"event {TIMEOUT} 0 291", f"event {TIMEOUT} 0 5",
        "event 1 0 0", "event 1 0 0",
    )
    puppet.settle()
    snapshot = queue.snapshot()
    assert set(snapshot) == {
        5, 0x7FF, "event:timeout:123", "event:timeout:5", "event:link-up"
    }
    assert queue.peek("event:timeout:123").detail == 291
    assert queue.peek("event:link-up").kind == "link-up"
    assert queue.peek("event:link-down") is None
    assert queue.peek(5).arbitration_id == 5
    for wrong in ("event:", "event:no-such", "event:timeout", "CANbus"):
        with pytest.raises((TypeError, ValueError)):
            queue.peek(wrong)


def test_merge_takes_events(run, puppet, eventful):
    with awaitd.open("virtual:can") as other:
        quiet = other.queue()

        async def main():
            puppet.tell("frame 1", "event 1 0 0", "frame 2")
            await asyncio.to_thread(puppet.settle)
            await other.send(rig.can(3))
            found = []
            async with awaitd.merge(eventful, quiet, wait=0) as stream:
                async for item in stream:
                    found.append(getattr(item, "kind", None) or
                                 item.arbitration_id)
                    if len(found) == 5:
                        return found

        assert run(main()) == [1, "link-up", 2, 0x7FF, 3]


def test_loss_before_an_event_is_told_once(puppet, device):
    queue = device.queue(events=True, gaps=True, depth=1)
    puppet.tell("frame 1", "frame 2", "event 1 0 0")
    rig.until(lambda: queue.stats().dropped_overflow == 2)
    # They are counted ahead of the frame, which may still be on its way.
    assert queue.recv(rig.DEADLINE_S).arbitration_id == 1
    puppet.tell("event 4 0 0")
    gap, event = queue.recv(rig.DEADLINE_S), queue.recv(rig.DEADLINE_S)
    assert isinstance(gap, awaitd.Gap)
    assert (gap.lost, gap.cause) == (2, "overflow")
    assert (event.kind, event.lost_before) == ("restarted", 2)
    puppet.tell("frame 3")
    assert queue.recv(rig.DEADLINE_S).arbitration_id == 3


# ---- timestamps ----


def test_frame_tells_the_hardwares_timestamp(puppet, device):
    queue = device.queue()
    puppet.tell("stamped 1 0102030405 1234567890123456789", "frame 2 FF")
    stamped, plain = queue.recv(rig.DEADLINE_S), queue.recv(rig.DEADLINE_S)
    assert stamped.hw_timestamp_ns == 1234567890123456789
    assert stamped.data == bytes([1, 2, 3, 4, 5])
    assert stamped.timestamp_source == "hardware"
    assert (plain.hw_timestamp_ns, plain.timestamp_source) == (None, "kernel")


def test_hardware_timestamp_is_kept_by_pickle_and_not_compared(puppet, device):
    queue = device.queue()
    puppet.tell("stamped 1 0102030405060708 5", "frame 1 0102030405060708")
    stamped, plain = queue.recv(rig.DEADLINE_S), queue.recv(rig.DEADLINE_S)
    again = pickle.loads(pickle.dumps(stamped))
    assert again.hw_timestamp_ns == 5
    assert again.equals(plain) and plain.equals(again)


def test_hardware_timestamp_comes_with_a_batch_and_a_snapshot(
    run, puppet, device
):
    queue = device.queue()
    latest = device.queue(overflow="latest", depth=4)
    puppet.tell("stamped 1 01 5")

    async def main():
        return await queue.get_batch(1)

    assert run(main())[0].hw_timestamp_ns == 5
    # The later queue gets a frame when the other has it.
    rig.until(lambda: latest.peek(1))
    assert latest.peek(1).hw_timestamp_ns == 5
