"""Device: sending, closing, what it says of itself."""

from __future__ import annotations

import asyncio
import gc
import pickle
import sys
import warnings

import pytest
import rig
from rig import ids

import awaitd

pytestmark = pytest.mark.extension


# ---- what it is ----


@pytest.mark.parametrize(
    "options, type_name, kind",
    [
        ("virtual:can", "CanDevice", "can"),
        ("virtual:bytes", "BytesDevice", "bytes"),
        ("udp:127.0.0.1:0", "DatagramDevice", "datagram"),
    ],
)
def test_device_tells_what_it_is(options, type_name, kind):
    with awaitd.open(options) as device:
        driver = options.partition(":")[0]
        assert type(device) is getattr(awaitd, type_name)
        assert isinstance(device, awaitd.Device)
        assert (device.name, device.driver) == (driver, driver)
        assert device.kind == kind
        assert repr(device) == f"<{type_name} {driver} ({driver})>"


def test_device_cannot_be_made_by_hand():
    for type_ in (awaitd.Device, awaitd.CanDevice):
        with pytest.raises(TypeError):
            type_()


def test_device_name_cannot_be_set(bus):
    with pytest.raises(AttributeError):
        bus.name = "other"


# ---- close ----


def test_close_is_told(bus):
    assert not bus.closed
    bus.close()
    assert bus.closed
    assert repr(bus) == "<CanDevice bus (virtual), closed>"


def test_close_twice_is_harmless(bus):
    bus.close()
    bus.close()


def test_context_manager_closes():
    with awaitd.open("virtual:can") as bus:
        assert not bus.closed
    assert bus.closed


def test_close_sends_what_was_accepted(run, bus, q):
    async def main():
        sends = [asyncio.create_task(bus.send(rig.can(n))) for n in range(50)]
        await asyncio.sleep(0)
        bus.close()
        return await asyncio.gather(*sends)

    run(main())
    assert ids(q.get_nowait() for _ in range(50)) == list(range(50))
    sent = bus.stats()["send"]
    assert (sent.submitted, sent.sent, sent.pending) == (50, 50, 0)


def test_device_lives_as_long_as_its_queues(peer):
    queue = awaitd.open("virtual:can").queue()
    gc.collect()
    peer.put(queue, 7)
    assert queue.get_nowait().arbitration_id == 7


# ---- send ----


def test_send_gives_none(run, bus):
    async def main():
        return await bus.send(rig.can(1))

    assert run(main()) is None


def test_send_reaches_every_queue(run, bus):
    queues = [bus.queue(), bus.queue()]

    async def main():
        await bus.send(rig.can(7))
        return ids([await queue.get() for queue in queues])

    assert run(main()) == [7, 7]


def test_sends_keep_their_order(run, bus, q):
    async def main():
        await asyncio.gather(*(bus.send(rig.can(n)) for n in range(500)))
        return ids([await q.get() for _ in range(500)])

    assert run(main()) == list(range(500))


def test_send_counts(run, bus):
    async def main():
        for number in range(5):
            await bus.send(rig.can(number))

    run(main())
    stats = bus.stats()["send"]
    assert isinstance(stats, awaitd.SendStats)
    assert tuple(stats) == (5, 5, 0, 0, 0, 0)
    assert stats.submitted == stats.sent == 5


def test_send_takes_what_was_received(run, bus, q):
    async def main():
        await bus.send(rig.can(7))
        frame = await q.get()
        await bus.send(frame)
        return frame.equals(await q.get())

    assert run(main())


def test_send_on_a_closed_device_raises(run, bus):
    bus.close()

    async def main():
        with pytest.raises(awaitd.DeviceLost, match="was closed; open it anew"):
            await bus.send(rig.can(1))

    run(main())


def test_queue_on_a_closed_device_raises(bus):
    bus.close()
    with pytest.raises(awaitd.DeviceLost, match="was closed; open it anew"):
        bus.queue()


@pytest.mark.parametrize(
    "frame", [None, 1, "123#00", b"\x00", object(), awaitd.Datagram(b"x")]
)
def test_send_of_what_cannot_be_sent_here_is_a_type_error(bus, frame):
    with pytest.raises(TypeError):
        bus.send(frame)


def test_send_on_a_device_that_cannot_raises(run, tmp_path):
    log = tmp_path / "one.log"
    log.write_text("(1700000000.000000) can0 123#00\n")

    async def main():
        with awaitd.open(f"replay:{log}") as device:
            with pytest.raises(awaitd.DeviceError, match="nothing can be sent"):
                await device.send(rig.can(1))

    run(main())


def test_send_without_a_running_loop_raises(bus, q):
    send = bus.send(rig.can(1))
    with pytest.raises(RuntimeError, match="no running event loop"):
        send.send(None)
    assert q.stats().received == 0


def test_send_that_is_not_awaited_warns(bus, q):
    with pytest.warns(RuntimeWarning, match="send.* on device bus was never"):
        bus.send(rig.can(1))
        gc.collect()
    assert q.stats().received == 0
    assert bus.stats()["send"].submitted == 0


def test_send_that_is_closed_does_not_warn(bus):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        send = bus.send(rig.can(1))
        send.close()
        del send


def test_send_whose_warning_is_an_error_is_reported(bus, monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bus.send(rig.can(1))
    assert [event.exc_type for event in seen] == [RuntimeWarning]


def test_send_awaited_twice_raises(run, bus):
    async def main():
        send = bus.send(rig.can(1))
        await send
        with pytest.raises(RuntimeError, match="already awaited"):
            await send

    run(main())
    assert bus.stats()["send"].submitted == 1


def test_send_awaited_by_two_tasks_raises(run, bus):
    async def main():
        send = bus.send(rig.can(1))
        first = asyncio.create_task(send)
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="is being awaited already"):
            await send
        await first

    run(main())
    assert bus.stats()["send"].sent == 1


def test_send_cancelled_before_its_first_step_sends_nothing(run, bus):
    async def main():
        task = asyncio.create_task(bus.send(rig.can(1)))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    assert bus.stats()["send"].submitted == 0


def test_send_is_a_coroutine_to_asyncio(run, bus, q):
    async def main():
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(bus.send(rig.can(number)))
        return ids([await q.get() for _ in range(3)])

    assert run(main()) == [0, 1, 2]


def test_send_tells_its_state(run, bus):
    async def main():
        send = bus.send(rig.can(1))
        texts = [repr(send)]
        task = asyncio.create_task(send)
        await asyncio.sleep(0)
        texts.append(repr(send))
        await task
        return [*texts, repr(send)]

    assert run(main()) == [
        "<send on device bus>",
        "<send on device bus, waiting>",
        "<send on device bus, finished>",
    ]


def test_sends_of_two_loops_at_once(run, bus, q, peer):
    """A device belongs to no loop."""

    async def main():
        other = asyncio.to_thread(peer.send, bus, *rig.cans(range(50)))
        task = asyncio.create_task(other)
        for number in range(100, 150):
            await bus.send(rig.can(number))
        await task
        return sorted(ids([await q.get() for _ in range(100)]))

    assert run(main()) == [*range(50), *range(100, 150)]


# ---- errors ----


def test_missing_device_is_a_device_error():
    with pytest.raises(awaitd.DeviceError) as error:
        awaitd.open({"driver": "replay", "path": "/nowhere/x.log"})
    assert error.value.errno == 2
    assert error.value.device == "replay"
    assert "/nowhere/x.log" in str(error.value)


def test_device_error_can_be_pickled():
    with pytest.raises(awaitd.DeviceError) as error:
        awaitd.open("udp:192.0.2.1:5005")
    again = pickle.loads(pickle.dumps(error.value))
    assert (type(again), again.errno) == (type(error.value), error.value.errno)
    assert again.device == "udp"


@pytest.mark.parametrize(
    "options, message",
    [
        ({}, "driver"),
        ({"driver": "x"}, 'no driver "x"'),
        ({"driver": "replay"}, "path"),
        ({"driver": "udp", "bind": "here"}, "HOST:PORT"),
        ({"driver": "virtual", "knid": "can"}, "knid"),
        ({"driver": "virtual", "kind": "lin"}, "kind"),
        ({"driver": "virtual", "bind": "127.0.0.1:1"}, "bind"),
        ({"driver": "virtual", "max_payload": "x"}, "max_payload"),
        ({"driver": "virtual", "name": "no name"}, "no name"),
        ({"driver": "virtual", "name": ""}, "name"),
        ({"driver": "virtual", "priority": 1000}, "priority"),
        ("virtual:can,speed=max", "speed"),
        ("x=y=z:1", "x"),
        ("", "name"),
    ],
)
def test_options_that_are_no_good_are_a_config_error(options, message):
    with pytest.raises(awaitd.ConfigError, match=message):
        awaitd.open(options)


@pytest.mark.parametrize(
    "options",
    [
        {"driver": "replay"},
        {"driver": "udp", "bind": "here"},
        {"driver": "virtual", "kind": "lin"},
        {"driver": "virtual", "knid": "can"},
        {"driver": "virtual", "max_payload": 9000},
    ],
)
def test_option_that_is_no_good_names_the_device(options):
    with pytest.raises(awaitd.ConfigError, match="^device CANbus: "):
        awaitd.open({"name": "CANbus", **options})


@pytest.mark.parametrize("options", [None, 5, [("driver", "virtual")]])
def test_options_that_are_no_mapping_are_a_type_error(options):
    with pytest.raises((TypeError, AttributeError)):
        awaitd.open(options)


def test_options_take_python_values(tmp_path):
    log = tmp_path / "one.log"
    log.write_text("(1700000000.000000) can0 123#00\n")
    options = {
        "driver": "replay",
        "path": log,
        "loop": True,
        "speed": 2.5,
        "max_payload": 64,
        "channel": None,
    }
    with awaitd.open(options) as device:
        assert device.queue().recv(timeout=rig.DEADLINE_S).channel == "can0"


def test_short_form_names_the_device():
    with awaitd.open("CANbus=virtual:can") as bus:
        assert bus.name == "CANbus"
