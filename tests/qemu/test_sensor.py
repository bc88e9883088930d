"""The sensor itself, by plain ioctls: what tests of the `spi` driver take for
granted of the node, the samples and the data-ready line."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import gpio_lines
import pytest
from gpio_lines import FALLING, RISING, Request
from spi_node import Segment, Spidev
from spi_sensor import (
    FRESH,
    MISSED,
    NO_SAMPLE,
    READ_SAMPLE,
    Reading,
    Sensor,
)

EVENT_BUFFER = 16  # events of a line that the kernel keeps, if not told
SEED = int(os.environ.get("AWAITD_SEED", random.randrange(2**32)))


def read(device: Spidev) -> Reading:
    return Reading.parse(device.transfer(READ_SAMPLE))


def data_ready(edges: int = RISING, **options: int) -> Request:
    return Request(gpio_lines.find(Sensor.DATA_READY), edges=edges, **options)


# ---- the bus ----


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_loop_back_returns_what_was_sent(sensor, bits):
    print(f"AWAITD_SEED={SEED}")
    sent = random.Random(SEED).randbytes(4096)
    with Spidev(sensor.LOOP_BACK) as device:
        device.set_bits(bits)
        assert device.transfer(sent) == sent


def test_sensor_returns_what_is_no_command(sensor):
    with Spidev(sensor.NODE) as device:
        assert device.transfer(b"\x01\x80\x00") == b"\x01\x80\x00"


def test_looped_sensor_returns_its_command(sensor):
    with Spidev(sensor.NODE) as device:
        device.mode = 0x20
        assert device.transfer(READ_SAMPLE) == READ_SAMPLE


def test_command_and_answer_may_be_two_segments(sensor, samples):
    sensor.play(1)
    with Spidev(sensor.NODE) as device:
        first, rest = device.message(
            Segment(READ_SAMPLE[:1]), Segment(READ_SAMPLE[1:])
        )
    assert Reading.parse(first + rest) == (FRESH, 0, samples[0])


def test_deselecting_begins_a_new_command(sensor, samples):
    sensor.play(1)
    with Spidev(sensor.NODE) as device:
        first, second = device.message(
            Segment(READ_SAMPLE, release=True), Segment(READ_SAMPLE)
        )
    assert Reading.parse(first) == (FRESH, 0, samples[0])
    assert Reading.parse(second) == (0, 0, samples[0])


@pytest.mark.parametrize("mode", range(4))
def test_modes_are_taken(sensor, mode):
    with Spidev(sensor.LOOP_BACK) as device:
        device.mode = mode
        assert device.mode == mode
        assert device.transfer(b"abc") == b"abc"


def test_what_the_bus_cannot_do_is_refused(sensor):
    with Spidev(sensor.NODE) as device:
        with pytest.raises(OSError) as three_wire:
            device.mode = 0x10
        with pytest.raises(OSError) as bits:
            device.set_bits(12)
        with pytest.raises(OSError) as slow:
            device.message(Segment(b"a", speed_hz=10))
    assert {error.value.errno for error in (three_wire, bits, slow)} == {
        errno.EINVAL
    }


def test_transfers_fail_as_told(sensor):
    sensor.fail(2)
    with Spidev(sensor.NODE) as device:
        for _ in range(2):
            with pytest.raises(OSError) as caught:
                device.transfer(b"abc")
            assert caught.value.errno == errno.EIO
        assert device.transfer(b"abc") == b"abc"


# ---- the samples ----


def test_nothing_is_there_before_the_first_sample(sensor):
    with Spidev(sensor.NODE) as device:
        assert read(device) == (0, NO_SAMPLE, bytes(6))


def test_samples_are_the_recording_in_order(sensor, samples):
    with Spidev(sensor.NODE) as device:
        for number in range(50):
            sensor.play(1)
            assert read(device) == (FRESH, number, samples[number])
    assert sensor.produced == 50


def test_recording_begins_again_at_its_end(sensor, samples):
    sensor.play(len(samples) + 2)
    with Spidev(sensor.NODE) as device:
        assert read(device) == (FRESH | MISSED, len(samples) + 1, samples[1])


def test_sample_that_nobody_read_is_told_once(sensor):
    with Spidev(sensor.NODE) as device:
        sensor.play(2)
        assert read(device).status == FRESH | MISSED
        assert read(device).status == 0
        sensor.play(1)
        assert read(device).status == FRESH


# ---- the data-ready line ----


def test_lines_are_found_by_name(sensor):
    (names,) = [
        names for _, label, names in gpio_lines.chips() if label == "awaitd-sensor"
    ]
    assert names == [Sensor.DATA_READY, Sensor.IDLE]


def test_level_is_high_while_a_sample_waits(sensor):
    with Spidev(sensor.NODE) as device, data_ready() as line:
        levels = [line.values()]
        sensor.play(1)
        levels.append(line.values())
        read(device)
        levels.append(line.values())
    assert levels == [0, 1, 0]


def test_each_sample_is_one_rising_edge(sensor):
    with data_ready() as line:
        sensor.play(EVENT_BUFFER)
        edges = line.pending()
    assert [edge.seqno for edge in edges] == list(range(1, EVENT_BUFFER + 1))
    assert {edge.edge for edge in edges} == {RISING}
    times = [edge.timestamp_ns for edge in edges]
    assert times == sorted(set(times))


def test_read_sample_is_a_falling_edge(sensor):
    with Spidev(sensor.NODE) as device:
        with data_ready(edges=RISING | FALLING) as line:
            sensor.play(1)
            rising = line.read()
            read(device)
            falling = line.read()
            assert line.pending() == []
    assert (rising.edge, falling.edge) == (RISING, FALLING)


def test_edges_that_nobody_took_are_a_gap_in_the_numbers(sensor):
    missed = 4
    with data_ready() as line:
        sensor.play(EVENT_BUFFER + missed)
        edges = line.pending()
    assert [edge.seqno for edge in edges] == list(
        range(missed + 1, EVENT_BUFFER + missed + 1)
    )


def test_timer_plays_as_many_as_told(sensor):
    """With two lines in a request the kernel numbers edges as they happen, so
    that the numbers tell of those, too, that came while it was late."""
    lines = [gpio_lines.find(name) for name in (Sensor.DATA_READY, Sensor.IDLE)]
    with Request(*lines, buffer=64) as request:
        sensor.play(30, period_us=2000)
        numbers = [0]
        while numbers[-1] < 30:
            numbers.append(request.read().seqno)
    assert numbers == sorted(set(numbers))
    assert sensor.produced == 30


def test_idle_line_never_moves(sensor):
    with Request(
        gpio_lines.find(Sensor.IDLE), edges=RISING | FALLING
    ) as line:
        sensor.play(3)
        assert (line.values(), line.pending()) == (0, [])


# ---- unplugged ----


def test_unplugged_sensor_shuts_what_is_open(sensor):
    with Spidev(sensor.NODE) as device:
        sensor.unplug()
        with pytest.raises(OSError) as caught:
            device.transfer(b"abc")
    assert caught.value.errno == errno.ESHUTDOWN
    assert not Path(sensor.NODE).exists()


def test_line_stays_when_the_sensor_goes_and_falls(sensor):
    with data_ready(edges=FALLING) as line:
        sensor.play(1)
        sensor.unplug()
        assert line.read().edge == FALLING
        sensor.plug()
        assert line.values() == 0


def test_sensor_comes_back_new(sensor, samples):
    sensor.play(7)
    sensor.unplug()
    sensor.plug()
    sensor.play(1)
    with Spidev(sensor.NODE) as device:
        assert read(device) == (FRESH, 0, samples[0])
