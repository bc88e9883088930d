"""What a device tells of its link; going away and coming back; sending while it
is down."""

from __future__ import annotations

import asyncio
import errno

import pytest
import rig

import awaitd


def kinds(queue: awaitd.Queue, count: int) -> list[str]:
    items = [queue.recv(rig.DEADLINE_S) for _ in range(count)]
    return [getattr(item, "kind", "frame") for item in items]


# ---- state ----


def test_state_is_told(puppet):
    device = puppet.open()
    assert (device.state, device.carrier, device.bus_state) == ("up", None, None)
    assert device.bitrate is device.dbitrate is device.restart_ms is None
    puppet.tell("state 2 3 500000 2000000 100 130 7")
    puppet.settle()
    assert (device.carrier, device.bus_state) == (True, "error-passive")
    assert (device.bitrate, device.dbitrate) == (500000, 2000000)
    assert device.restart_ms == 100
    assert (device.tx_errors, device.rx_errors) == (130, 7)
    puppet.tell("state 1 4 0 0 0 0 0", "down")
    puppet.settle()
    assert (device.state, device.carrier) == ("down", False)
    assert device.bus_state == "bus-off"
    device.close()
    assert device.state == "closed"


def test_state_is_that_of_an_event_when_it_comes(puppet):
    device = puppet.open()
    queue = device.queue(events=True)
    for number in range(50):
        puppet.tell(f"state 0 0 {number + 1} 0 0 0 0", f"event 5 {number} 0")
        assert queue.recv(rig.DEADLINE_S).value == number
        assert device.bitrate == number + 1


def test_state_cannot_be_set(puppet):
    device = puppet.open()
    for name in ("state", "bitrate", "lost", "send_depth"):
        with pytest.raises(AttributeError):
            setattr(device, name, 1)


# ---- on_loss ----


def test_device_lost_for_good_says_what_helps(run, puppet):
    device = puppet.open()
    queue = device.queue(events=True)
    puppet.tell("frame 1", "lose 19")

    async def main():
        found = [await queue.get(), await queue.get()]
        with pytest.raises(awaitd.DeviceLost) as error:
            await queue.get()
        return found, error.value

    (frame, event), error = run(main())
    assert frame.arbitration_id == 1
    assert (event.kind, event.value) == ("lost", errno.ENODEV)
    assert (error.errno, error.device) == (errno.ENODEV, "CANbus")
    assert "on_loss: wait" in error.advice
    assert error.advice in str(error)
    assert (device.state, device.failure) == ("lost", errno.ENODEV)
    assert device.lost == 1


def test_device_that_comes_back_keeps_its_queues(run, puppet):
    device = puppet.open(on_loss="wait")
    queue = device.queue(events=True, gaps=True)
    plain = device.queue()

    async def main():
        waiting = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        puppet.go(errno.ENETDOWN)
        lost = await waiting
        assert (lost.kind, lost.value) == ("lost", errno.ENETDOWN)
        assert (device.state, device.lost) == ("lost", 1)
        assert device.failure == errno.ENETDOWN
        puppet.come()
        gap, back = await queue.get(), await queue.get()
        puppet.tell("frame 5")
        return gap, back, await queue.get(), await plain.get()

    gap, back, frame, only_frame = run(main())
    assert isinstance(gap, awaitd.Gap)
    assert (gap.lost, gap.cause) == (0, "away")
    assert (back.kind, back.value) == ("back", 0)
    assert back.detail > 0
    # Told to what comes next, which is the event; else to the frame.
    assert (back.lost_before, back.lost_cause) == (0, "away")
    assert (frame.lost_before, frame.lost_cause) == (0, "")
    assert (only_frame.lost_before, only_frame.lost_cause) == (0, "away")
    assert (device.state, device.reopened, device.failure) == ("up", 1, None)


def test_device_that_is_not_required_is_waited_for(puppet):
    puppet.miss()
    with pytest.raises(awaitd.DeviceError, match="it is gone"):
        puppet.open()
    device = puppet.open(required="no")
    assert (device.state, device.failure) == ("waiting", errno.ENODEV)
    queue = device.queue(events=True)
    puppet.come()
    assert kinds(queue, 1) == ["back"]
    assert (device.state, device.reopened) == ("up", 1)


# ---- sending ----


def test_send_while_the_link_is_down_fails_at_once(run, puppet):
    device = puppet.open()
    puppet.tell("down")
    puppet.settle()

    async def main():
        with pytest.raises(awaitd.DeviceDown) as error:
            await device.send(rig.can(1), timeout=3600)
        return error.value

    error = run(main())
    assert (error.errno, error.device) == (errno.ENETDOWN, "CANbus")
    assert error.advice == "bring the interface up: ip link set dev pup0 up"
    assert device.stats()["send"].failed == 1


@pytest.mark.parametrize(
    "state, message",
    [
        ("state 2 4 0 0 0 0 0", "bus-off; .*ip link set pup0 type can restart"),
        ("state 1 0 0 0 0 0 0", "no carrier"),
    ],
)
def test_send_says_why_it_is_down(run, puppet, state, message):
    device = puppet.open()
    puppet.tell(state, "down")
    puppet.settle()

    async def main():
        with pytest.raises(awaitd.DeviceDown, match=message):
            await device.send(rig.can(1))

    run(main())


def test_send_that_waits_goes_out_when_the_link_is_up(run, puppet):
    device = puppet.open()
    puppet.tell("down")
    puppet.settle()

    async def main():
        waiting = asyncio.create_task(device.send(rig.can(1), wait=True,
                                                  timeout=3600))
        with pytest.raises(awaitd.DeviceDown):
            await device.send(rig.can(2))
        assert device.stats()["send"].pending == 1
        puppet.tell("up")
        await waiting

    run(main())
    assert tuple(device.stats()["send"]) == (2, 1, 0, 0, 1, 0)


def test_send_that_waits_may_time_out(run, puppet):
    device = puppet.open()
    puppet.tell("down")
    puppet.settle()

    async def main():
        with pytest.raises(awaitd.SendTimeout) as caught:
            await device.send(rig.can(1), wait=True, timeout=0.01)
        return caught.value

    error = run(main())
    assert error.advice == "bring the interface up: ip link set dev pup0 up"


def test_stale_command_does_not_burst_out(run, puppet):
    """expires= counts while the link is down as well."""
    device = puppet.open()
    puppet.tell("down")
    puppet.settle()

    async def main():
        with pytest.raises(awaitd.SendExpired):
            await device.send(rig.can(1), wait=True, timeout=3600,
                              expires=0.01)
        puppet.tell("up")
        await asyncio.to_thread(puppet.settle)
        await device.send(rig.can(2))

    run(main())
    assert tuple(device.stats()["send"]) == (2, 1, 1, 0, 0, 0)


def test_cancelled_command_does_not_burst_out(run, puppet):
    device = puppet.open()
    puppet.tell("down")
    puppet.settle()

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await device.send(rig.can(1), wait=True,
                                  timeout=float("inf"))
        while device.stats()["send"].pending:
            await asyncio.sleep(0)
        puppet.tell("up")
        await asyncio.to_thread(puppet.settle)
        await device.send(rig.can(2))

    run(main())
    assert tuple(device.stats()["send"]) == (2, 1, 1, 0, 0, 0)


def test_send_while_the_device_is_away(run, puppet):
    device = puppet.open(on_loss="wait")
    queue = device.queue(events=True)
    puppet.go()
    assert kinds(queue, 1) == ["lost"]

    async def main():
        with pytest.raises(awaitd.DeviceDown, match="waited for") as error:
            await device.send(rig.can(1))
        assert "wait=True" in error.value.advice
        waiting = asyncio.create_task(
            device.send(rig.can(2), wait=True, timeout=3600)
        )
        await asyncio.sleep(0)
        puppet.come()
        await waiting

    run(main())
    assert tuple(device.stats()["send"]) == (2, 1, 0, 0, 1, 0)


def test_send_on_a_device_lost_for_good(run, puppet):
    device = puppet.open()
    queue = device.queue(events=True)
    puppet.tell("lose 19")
    assert kinds(queue, 1) == ["lost"]

    async def main():
        with pytest.raises(awaitd.DeviceLost):
            await device.send(rig.can(1), wait=True, timeout=3600)

    run(main())


def test_full_buffer_is_waited_out(run, puppet):
    device = puppet.open()
    puppet.tell("hold")
    puppet.settle()

    async def main():
        with pytest.raises(awaitd.SendTimeout):
            await device.send(rig.can(1), timeout=0.01)
        waiting = asyncio.create_task(device.send(rig.can(2), timeout=3600))
        await asyncio.sleep(0)
        puppet.tell("release")
        await waiting

    run(main())
    assert tuple(device.stats()["send"]) == (2, 1, 0, 1, 0, 0)
