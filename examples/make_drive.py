#!/usr/bin/env python3
"""Makes examples/drive.log: twenty seconds of a believable drive.

A car stands at a light, pulls away through its gears, takes a bend, brakes hard
for somebody and rolls on. Several control units report it on two buses, in the
log format of `candump -L`:

    python3 examples/make_drive.py > examples/drive.log

The same seed gives the same bytes on every machine: only Python's generator of
uniform numbers and plain arithmetic are used. Multi-byte signals are big endian
and unsigned unless it says otherwise.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

START_S = 1_700_000_000  # the log's first second, in Unix time
STEP_S = 0.001  # the physics' step
BIT_RATE = 500_000  # of both buses
FD_DATA_BIT_RATE = 2_000_000

# What the driver does: until second T the pedals and the wheel aim at these.
#          T   throttle %  brake %  steering wheel degrees
SCRIPT = [
    (1.0, 0.0, 20.0, 0.0),  # waiting at the light, foot on the brake
    (5.5, 55.0, 0.0, 0.0),  # pulling away
    (8.0, 30.0, 0.0, -4.0),  # a slight bend to the left
    (11.0, 25.0, 0.0, 36.0),  # a right-hand corner
    (12.2, 15.0, 0.0, 0.0),  # out of it
    (14.0, 0.0, 75.0, 3.0),  # somebody steps on the road
    (18.5, 40.0, 0.0, 0.0),  # on we go
    (99.0, 12.0, 0.0, -2.0),  # rolling
]
GEAR_RATIOS = [0.0, 13.9, 7.8, 5.3, 3.9, 3.1]  # engine turns per wheel turn
UPSHIFT_KMH = [0.0, 17.0, 34.0, 54.0, 78.0, 999.0]
WHEEL_TURNS_PER_M = 0.508
WHEELBASE_M = 2.7
TRACK_M = 1.55
STEERING_RATIO = 15.5  # wheel degrees per road wheel degree
IDLE_RPM = 780.0


def towards(value: float, aim: float, seconds: float) -> float:
    """One step of a first-order lag."""
    return value + (aim - value) * STEP_S / seconds


class Car:
    """What goes on in the car; one step() is a millisecond."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.time_s = 0.0
        self.throttle = 0.0  # percent
        self.brake = 20.0  # percent
        self.steering = 0.0  # degrees at the wheel, right is positive
        self.steering_rate = 0.0  # degrees/s
        self.speed = 0.0  # km/h
        self.acceleration = 0.0  # m/s^2
        self.rpm = IDLE_RPM
        self.gear = 1
        self.coolant = 71.0  # degrees Celsius
        self.oil = 64.0
        self.battery = 14.1  # volts
        self.odometer_m = 48_213_400.0
        self.fuel_l = 31.4

    def noise(self, width: float) -> float:
        """A number around 0, at most `width` from it."""
        return (self.rng.random() + self.rng.random() - 1.0) * width

    def step(self) -> None:
        self.time_s += STEP_S
        aims = next(line for line in SCRIPT if self.time_s < line[0])
        self.throttle = towards(self.throttle, aims[1], 0.25)
        self.brake = towards(self.brake, aims[2], 0.12)
        before = self.steering
        self.steering = towards(self.steering, aims[3], 0.45)
        self.steering_rate = (self.steering - before) / STEP_S
        self.move()
        self.turn_engine()
        self.coolant = towards(self.coolant, 90.0, 180.0)
        self.oil = towards(self.oil, 84.0 + self.rpm / 400.0, 240.0)
        self.battery = towards(self.battery, 14.3 - 0.2 * (self.rpm < 900), 2.0)

    def move(self) -> None:
        drive = 0.075 * self.throttle * (1.0 - self.speed / 190.0)
        slow = 0.11 * self.brake + 0.12 + self.speed * self.speed * 0.00004
        if self.speed <= 0.0 and drive < slow:
            slow = drive  # standing still
        self.acceleration = towards(self.acceleration, drive - slow, 0.06)
        self.speed = max(0.0, self.speed + self.acceleration * 3.6 * STEP_S)
        metres = self.speed / 3.6 * STEP_S
        self.odometer_m += metres
        self.fuel_l -= (0.00002 + 0.0000009 * self.throttle) * STEP_S

    def turn_engine(self) -> None:
        if self.speed > UPSHIFT_KMH[self.gear]:
            self.gear += 1
        elif self.gear > 1 and self.speed < UPSHIFT_KMH[self.gear - 1] - 9.0:
            self.gear -= 1
        wheel_rpm = self.speed / 3.6 * WHEEL_TURNS_PER_M * 60.0
        aim = max(IDLE_RPM + 9.0 * self.throttle * (self.speed < 8.0),
                  wheel_rpm * GEAR_RATIOS[self.gear])
        self.rpm = towards(self.rpm, aim, 0.09)

    def yaw_rate(self) -> float:
        """Degrees/s, by the single-track model for small angles."""
        return (self.speed / 3.6 * (self.steering / STEERING_RATIO)
                / WHEELBASE_M)

    def wheel_speed(self, left: bool, front: bool) -> float:
        """km/h: the outer wheels go farther, the front ones a little too."""
        side = 1.0 if left else -1.0
        bend = self.yaw_rate() / 57.29578 * TRACK_M / 2.0 * 3.6 * side
        slip = 1.0 + 0.002 * front - 0.0004 * self.brake * front
        return max(0.0, (self.speed + bend) * slip)


# ---- payloads ----


def u8(value: float) -> bytes:
    return bytes([min(255, max(0, round(value)))])


def u16(value: float) -> bytes:
    return min(0xFFFF, max(0, round(value))).to_bytes(2, "big")


def u24(value: float) -> bytes:
    return min(0xFFFFFF, max(0, round(value))).to_bytes(3, "big")


def s16(value: float) -> bytes:
    number = min(0x7FFF, max(-0x8000, round(value)))
    return number.to_bytes(2, "big", signed=True)


def guarded(can_id: int, body: bytes, count: int) -> bytes:
    """Appends a 4-bit counter and then the checksum: the sum of id, length and
    all bytes before it, modulo 256, as several makers do it."""
    data = body + bytes([count & 0xF])
    total = (can_id & 0xFF) + (can_id >> 8 & 0xFF) + len(data) + 1 + sum(data)
    return data + bytes([total & 0xFF])


def steering_angle(car: Car, n: int) -> bytes:
    """0x025: angle s16 0.1 deg, rate s16 1 deg/s, 0, 0, counter, checksum."""
    body = s16(car.steering * 10 + car.noise(0.6)) + s16(car.steering_rate)
    return guarded(0x025, body + b"\0\0", n)


def wheel_speeds(car: Car, n: int) -> bytes:
    """0x0AA: front right, front left, rear right, rear left, 0.01 km/h each,
    with an offset of 67.67 km/h."""
    speeds = [car.wheel_speed(left, front)
              for front in (True, False) for left in (False, True)]
    return b"".join(
        u16(6767 + v * 100 + (car.noise(6.0) if v > 0 else 0)) for v in speeds)


def vehicle_speed(car: Car, n: int) -> bytes:
    """0x0B4: 0, 0, 0, 0, speed u16 0.01 km/h, counter, checksum."""
    return guarded(0x0B4, bytes(4) + u16(car.speed * 100), n)


def engine(car: Car, n: int) -> bytes:
    """0x110: rpm u16 0.25/min, throttle u8 0.5 %, torque s16 0.1 Nm, gear u8,
    counter, checksum."""
    torque = car.throttle * 2.1 - (car.throttle < 2.0) * 14.0
    body = (u16(car.rpm * 4 + car.noise(40.0)) + u8(car.throttle * 2)
            + s16(torque * 10 + car.noise(8.0)) + u8(car.gear))
    return guarded(0x110, body, n)


def brakes(car: Car, n: int) -> bytes:
    """0x120: pressure u16 0.01 bar, flags u8 (1 pedal, 2 ABS), counter,
    checksum."""
    locking = car.brake > 60.0 and car.speed > 10.0
    flags = (car.brake > 3.0) | locking << 1
    pressure = car.brake * 110 + car.noise(400.0 if locking else 3.0)
    return guarded(0x120, u16(pressure) + u8(flags), n)


def motion(car: Car, n: int) -> bytes:
    """0x130: yaw rate s16 0.01 deg/s, lateral and longitudinal acceleration
    s16 0.001 m/s^2 each, counter, checksum."""
    lateral = car.yaw_rate() / 57.29578 * car.speed / 3.6
    body = (s16(car.yaw_rate() * 100 + car.noise(12.0))
            + s16(lateral * 1000 + car.noise(60.0))
            + s16(car.acceleration * 1000 + car.noise(90.0)))
    return guarded(0x130, body, n)


def gearbox(car: Car, n: int) -> bytes:
    """0x1D0: gear u8, selector u8 (4: D), oil u8 deg C + 40, counter,
    checksum."""
    return guarded(0x1D0, u8(car.gear) + b"\x04" + u8(car.oil + 40), n)


def cruise(car: Car, n: int) -> bytes:
    """0x1E0: set speed u8 (255: off), state u8, counter, checksum."""
    return guarded(0x1E0, b"\xff\0", n)


def temperatures(car: Car, n: int) -> bytes:
    """0x420: coolant, oil, intake, outside: u8, deg C + 40 each."""
    return (u8(car.coolant + 40) + u8(car.oil + 40)
            + u8(64 + car.noise(0.8)) + u8(52))


def odometer(car: Car, n: int) -> bytes:
    """0x5D0: distance u24 0.1 km, fuel u16 0.01 l."""
    return u24(car.odometer_m / 100) + u16(car.fuel_l * 100)


def j1939_speed(car: Car, n: int) -> bytes:
    """0x18FEF100, J1939's CCVS from a retrofitted tracker: wheel-based speed in
    bytes 2 and 3, 1/256 km/h, little endian; the rest is not available."""
    return b"\xff" + u16(car.speed * 256)[::-1] + b"\xff" * 5


def body_state(car: Car, n: int) -> bytes:
    """0x224: brake light u8, indicators u8 (1 left, 2 right, blinking), doors
    u8, counter, checksum."""
    blinking = car.time_s % 0.7 < 0.35
    indicator = 2 if 7.2 < car.time_s < 11.0 and blinking else 0
    return guarded(0x224, u8(car.brake > 3.0) + u8(indicator) + b"\0", n)


def lights(car: Car, n: int) -> bytes:
    """0x2F0: beams u8 (1 low), wiper u8, ambient light u16 lx."""
    return b"\x01\0" + u16(8200 + car.time_s * 35 + car.noise(120.0))


def supply(car: Car, n: int) -> bytes:
    """0x350: battery u16 mV, current s16 0.1 A, counter, checksum."""
    return guarded(0x350, u16(car.battery * 1000 + car.noise(25.0))
                   + s16(62 + car.noise(14.0)), n)


def climate(car: Car, n: int) -> bytes:
    """0x3C0: cabin u8 0.5 deg C, fan u8, flap u8 %."""
    return u8(43 + car.noise(0.6)) + b"\x03\x28"


def cluster(car: Car, n: int) -> bytes:
    """0x440: shown speed u8 km/h (a little more than the real one), shown rpm
    u8 50/min."""
    return u8(car.speed * 1.03 + 0.6 * (car.speed > 1)) + u8(car.rpm / 50)


def parking(car: Car, n: int) -> bytes:
    """0x4A0: four distances u8 cm, 255: nothing near."""
    return b"\xff\xff\xff" + u8(62 + car.speed * 12)


def radar(car: Car, n: int) -> bytes:
    """0x3E8, CAN FD: counter u8, three objects of distance u16 cm, relative
    speed s16 cm/s, angle s16 0.01 deg, size u8, confidence u8; padded to 32."""
    gap = max(4.0, 46.0 - 3.2 * abs(car.time_s - 13.2) * (car.time_s < 13.2))
    data = bytes([n & 0xFF])
    for k in range(3):
        data += (u16((gap + 17 * k) * 100 + car.noise(20.0))
                 + s16(-car.speed / 3.6 * 100 * (k != 0) + car.noise(15.0))
                 + s16((k - 1) * 620 + car.noise(30.0)) + u8(18 + 4 * k)
                 + u8(96 - 9 * k))
    return data.ljust(32, b"\0")


def diagnosis(car: Car, n: int) -> bytes:
    """0x6F1: the answer to a remote request for 0x6F1, trouble codes: none."""
    return b"\x02\x43\0\0\0\0\0\0"


# ---- messages ----


@dataclass(frozen=True)
class Message:
    bus: int
    can_id: int
    rate_hz: int
    payload: Callable[[Car, int], bytes]
    fd: bool = False


MESSAGES = [
    # can0: powertrain and chassis
    Message(0, 0x025, 100, steering_angle),
    Message(0, 0x0AA, 100, wheel_speeds),
    Message(0, 0x0B4, 50, vehicle_speed),
    Message(0, 0x110, 100, engine),
    Message(0, 0x120, 50, brakes),
    Message(0, 0x130, 50, motion),
    Message(0, 0x1D0, 20, gearbox),
    Message(0, 0x1E0, 10, cruise),
    Message(0, 0x420, 10, temperatures),
    Message(0, 0x5D0, 10, odometer),
    Message(0, 0x18FEF100, 10, j1939_speed),
    # can1: body and driver assistance
    Message(1, 0x224, 20, body_state),
    Message(1, 0x2F0, 10, lights),
    Message(1, 0x350, 20, supply),
    Message(1, 0x3C0, 10, climate),
    Message(1, 0x3E8, 2, radar, fd=True),
    Message(1, 0x440, 20, cluster),
    Message(1, 0x4A0, 10, parking),
]
REMOTE_ID = 0x6F1  # a tester asks for it every 2.5 s, on can1
REMOTE_EVERY_S = 2.5
ANSWER_AFTER_S = 0.004
ERROR_S = 13.31  # a loose connector shakes when the car brakes
# The controller reports: receive warning level reached; error counters 0, 96.
ERROR_FRAME = "20000004#0004000000000060"


@dataclass(frozen=True)
class Frame:
    ready_s: float  # when the sender wants the bus
    bus: int
    text: str  # as candump writes it
    bits: float  # time on the wire, in bits of the nominal rate

    def key(self) -> tuple[float, str]:
        return (self.ready_s, self.text)


def id_text(can_id: int) -> str:
    return f"{can_id:08X}" if can_id > 0x7FF else f"{can_id:03X}"


def frame(ready_s: float, message: Message, data: bytes) -> Frame:
    if message.fd:  # with bit rate switch
        bits = 32.0 + (27 + len(data) * 9.3) * BIT_RATE / FD_DATA_BIT_RATE
        text = f"{id_text(message.can_id)}##1{data.hex().upper()}"
    else:
        bits = 47.0 + 20.0 * (message.can_id > 0x7FF) + len(data) * 9.1
        text = f"{id_text(message.can_id)}#{data.hex().upper()}"
    return Frame(ready_s, message.bus, text, bits)


def cyclic(rng: random.Random, seconds: float) -> Iterator[Frame]:
    """All periodic messages, each with its own phase and jitter."""
    car = Car(rng)
    periods = [1.0 / message.rate_hz for message in MESSAGES]
    due = [rng.random() * period for period in periods]
    counts = [0] * len(MESSAGES)
    while car.time_s < seconds:
        car.step()
        for i, message in enumerate(MESSAGES):
            if due[i] > car.time_s:
                continue
            late_s = rng.random() * 0.0006
            yield frame(car.time_s + late_s, message,
                        message.payload(car, counts[i]))
            counts[i] += 1
            due[i] += periods[i]


def events(rng: random.Random, seconds: float) -> Iterator[Frame]:
    """What does not come at a rate: the tester, and the bad connector."""
    car = Car(rng)
    answer = Message(1, REMOTE_ID, 0, diagnosis)
    time_s = 0.9
    while time_s < seconds - 0.1:
        yield Frame(time_s, 1, f"{REMOTE_ID:03X}#R8", 47.0)
        yield frame(time_s + ANSWER_AFTER_S, answer, diagnosis(car, 0))
        time_s += REMOTE_EVERY_S
    if ERROR_S < seconds:
        yield Frame(ERROR_S, 0, ERROR_FRAME, 20.0)


def on_the_wire(frames: list[Frame]) -> list[tuple[int, int, str]]:
    """One bus at a time: who is ready waits for the frame before. Gives the
    time each frame ends, in microseconds; bus; text."""
    free_s = 0.0
    done = []
    for one in sorted(frames, key=Frame.key):
        free_s = max(free_s, one.ready_s) + one.bits / BIT_RATE
        done.append((round(free_s * 1e6), one.bus, one.text))
    return done


def make(seed: int, seconds: float) -> str:
    rng = random.Random(seed)
    frames = [*cyclic(rng, seconds), *events(rng, seconds)]
    log = [line for bus in (0, 1)
           for line in on_the_wire([f for f in frames if f.bus == bus])]
    return "".join(
        f"({START_S + us // 1_000_000}.{us % 1_000_000:06}) can{bus} {text}\n"
        for us, bus, text in sorted(log))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    sys.stdout.write(make(arguments.seed, arguments.seconds))


if __name__ == "__main__":
    main()
