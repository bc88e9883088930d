"""The example log: as its generator makes it, and a believable drive."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LINE = re.compile(
    r"\((\d{10})\.(\d{6})\) (can[01]) "
    r"((?:[0-7][0-9A-F]{2}|[0-3][0-9A-F]{7}))"
    r"(#(?:(?:[0-9A-F]{2}){0,8}|R8)|##1(?:[0-9A-F]{2}){0,64})"
)

# Microseconds, channel, id, and the rest from the # on.
Record = tuple[int, str, str, str]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "make_drive", EXAMPLES / "make_drive.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_drive"] = module  # dataclasses look themselves up here
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def log() -> str:
    return (EXAMPLES / "drive.log").read_text(encoding="ascii")


@pytest.fixture(scope="module")
def records(log: str) -> list[Record]:
    found = []
    for line in log.splitlines():
        match = LINE.fullmatch(line)
        assert match, line
        seconds, micros, channel, can_id, rest = match.groups()
        time = int(seconds) * 10**6 + int(micros)
        found.append((time, channel, can_id, rest))
    return found


def data_of(records: list[Record], can_id: str) -> list[bytes]:
    return [
        bytes.fromhex(rest[1:])
        for _, _, own, rest in records
        if own == can_id and not rest.startswith("#R")
    ]


def u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def logged_speeds(records: list[Record]) -> list[float]:
    """km/h."""
    return [u16(data, 4) / 100 for data in data_of(records, "0B4")]


def test_committed_log_is_what_the_generator_makes(
    generator: ModuleType, log: str
) -> None:
    assert generator.make(seed=1, seconds=20.0) == log


def test_another_seed_makes_another_log(generator: ModuleType) -> None:
    assert generator.make(1, 0.5) != generator.make(2, 0.5)


def test_log_is_small_and_as_busy_as_a_car(
    log: str, records: list[Record]
) -> None:
    seconds = (records[-1][0] - records[0][0]) / 1e6
    assert len(log) < 700_000
    assert 19.5 < seconds < 20.5
    assert 500 < len(records) / seconds < 700


def test_time_goes_on(records: list[Record]) -> None:
    for channel in ("can0", "can1"):
        times = [time for time, own, _, _ in records if own == channel]
        assert all(a < b for a, b in zip(times, times[1:]))
    times = [time for time, _, _, _ in records]
    assert times == sorted(times)


def test_every_kind_of_frame_occurs(records: list[Record]) -> None:
    rests = [rest for _, _, _, rest in records]
    assert sum(rest.startswith("##") for rest in rests) >= 20
    assert sum(rest == "#R8" for rest in rests) >= 5
    long_ids = {can_id for _, _, can_id, _ in records if len(can_id) == 8}
    assert long_ids == {"18FEF100", "20000004"}


def test_ids_come_at_their_rates(
    generator: ModuleType, records: list[Record]
) -> None:
    counts = Counter((channel, can_id) for _, channel, can_id, _ in records)
    for message in generator.MESSAGES:
        key = (f"can{message.bus}", generator.id_text(message.can_id))
        assert abs(counts[key] - 20 * message.rate_hz) <= 1, key


@pytest.mark.parametrize(
    "can_id", ["025", "0B4", "110", "120", "130", "1D0", "1E0", "224", "350"]
)
def test_counters_and_checksums_are_right(
    records: list[Record], can_id: str
) -> None:
    number = int(can_id, 16)
    for n, data in enumerate(data_of(records, can_id)):
        assert data[-2] == n & 0xF
        total = (number & 0xFF) + (number >> 8) + len(data) + sum(data[:-1])
        assert data[-1] == total & 0xFF


def test_speed_moves_as_a_car_does(records: list[Record]) -> None:
    speeds = logged_speeds(records)
    assert speeds[0] == 0
    assert 60 < max(speeds) < 100
    # 50 Hz: never more than 11 m/s^2.
    assert all(abs(b - a) < 11 * 3.6 / 50 for a, b in zip(speeds, speeds[1:]))


def test_wheels_agree_with_the_speed(records: list[Record]) -> None:
    speeds = logged_speeds(records)
    wheels = [
        sum(u16(data, at) - 6767 for at in range(0, 8, 2)) / 400
        for data in data_of(records, "0AA")
    ]
    for speed, wheel in zip(speeds, wheels[::2]):
        assert abs(speed - wheel) < 2.5
