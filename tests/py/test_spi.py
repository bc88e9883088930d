"""SpiDevice: transfers and samples, on a fake bus (tests/support/fake_chardev.c).

Each test is a script in a process of its own, before whose libc the fake stands.
"""

from __future__ import annotations

import json
import signal
import textwrap
import threading
from pathlib import Path
from typing import Any

import _awaitd
import pytest
from process import Process

FAKE = Path(_awaitd.__file__).parent / "tests" / "libfake_spi.so"

HEAD = """
import asyncio, ctypes, sys, time
import awaitd

fake = ctypes.CDLL(None)
fake.fake_edge.argtypes = [ctypes.c_uint64, ctypes.c_uint32]

def last(index, field):
    return fake.fake_last(index, field.encode())

def adc(**options):
    return awaitd.open({"name": "adc", "driver": "spi",
                        "path": "/dev/spidev0.0", **options})

def on(**options):
    def run(main):
        async def bounded():
            async with asyncio.timeout(10):
                with adc(**options) as device:
                    await main(device)
        asyncio.run(bounded())
    return run
"""


@pytest.fixture
def spi(python):
    """spi(source): what the script printed; it must end well."""
    if not FAKE.is_file():
        pytest.fail(f"{FAKE} is missing: ./run build makes it")

    def run(source: str, status: int = 0) -> str:
        process = python(HEAD + textwrap.dedent(source),
                         env={"LD_PRELOAD": str(FAKE)})
        assert process.finish() == status, process.stderr
        return process.stdout

    return run


# ---- transfers ----


def test_transfer_returns_what_came_in(spi):
    assert spi("""
        @on()
        async def main(device):
            print(type(device).__name__, device.kind, device.driver)
            print(await device.transfer(b"hello"))
            print(await device.transfer(bytearray(b"you")))
            print(await device.transfer(b"x" * 4096, timeout=5) == b"x" * 4096)
        """) == "SpiDevice bytes spi\nb'hello'\nb'you'\nTrue\n"


def test_transfer_of_segments_returns_a_list(spi):
    assert spi("""
        @on()
        async def main(device):
            print(await device.transfer([
                b"ab",
                {"tx": b"cde", "speed_hz": 5e5, "delay_us": 7, "bits": 8,
                 "cs_change": True},
                {"read": 4},
            ]))
            print(fake.fake_messages(), last(0, "count"))
            print([last(1, name) for name in
                   ("len", "speed_hz", "delay_us", "bits", "cs_change")])
            print(await device.transfer(({"tx": b"a"},)))
        """) == ("[b'ab', b'cde', b'\\x00\\x00\\x00\\x00']\n1 3\n"
                 "[3, 500000, 7, 8, 1]\n[b'a']\n")


@pytest.mark.parametrize(
    ("tx", "error"),
    [
        ("'text'", "TypeError: transfer() takes bytes, or a list of segments"),
        ("7", "TypeError: transfer() takes bytes"),
        ("[7]", "TypeError: segments[0] is bytes, or a dict"),
        ("[]", "ValueError: a transfer has 1 to 64 segments, not 0"),
        ("[b'a'] * 65", "ValueError: a transfer has 1 to 64 segments, not 65"),
        ("b''", "ValueError: a transfer of 0 bytes"),
        ("[b'']", "ValueError: a transfer of 0 bytes"),
        ("bytes(65529)", "ValueError: a transfer of 65529 bytes"),
        ("[b'a', {}]", "ValueError: segments[1] has neither tx nor read"),
        ("[{'tx': b'a', 'read': 1}]", "ValueError: segments[0] has tx and read"),
        ("[{'tx': b'a', 'speed': 1}]",
         "ValueError: segments[0]: unknown key 'speed'"),
        ("[{'tx': b'a', 'bits': 33}]", 'segments[0]["bits"] is a whole number'),
        ("[{'tx': b'a', 'delay_us': 0.5}]",
         'segments[0]["delay_us"] is a whole number from 0 to 65535'),
        ("[{'tx': b'a', 'delay_us': 'x'}]", "TypeError"),
        ("[{'read': -1}]", 'segments[0]["read"] is a whole number'),
        ("[{'read': float('nan')}]", 'segments[0]["read"] is a whole number'),
        ("[{'read': 10**400}]", "OverflowError"),
        ("b'a', -1", "ValueError: timeout is in seconds"),
    ],
)
def test_transfer_refuses_what_is_none(spi, tx, error):
    assert error in spi(f"""
        @on()
        async def main(device):
            try:
                device.transfer({tx})
            except Exception as problem:
                print(f"{{type(problem).__name__}}: {{problem}}")
            print(fake.fake_messages())
        """)


def test_transfer_that_fails_says_why(spi):
    refused, failed, too_long, after = spi("""
        import errno
        @on()
        async def main(device):
            for code in errno.EINVAL, errno.EIO:
                fake.fake_fail(code, 1)
                try:
                    await device.transfer(b"a")
                except awaitd.DeviceError as error:
                    print(error.errno == code, error.device, error)
            try:
                await device.transfer(bytes(5000))
            except awaitd.DeviceError as error:
                print(error.errno == errno.EMSGSIZE, error)
            print(await device.transfer(b"a"), device.stats()["send"].failed)
        """).splitlines()
    assert refused.startswith("True adc [Errno 22] adc: the controller refuses")
    assert failed == "True adc [Errno 5] adc: Input/output error"
    assert "longer than spidev's buffer" in too_long
    assert after == "b'a' 3"


def test_transfer_to_a_chip_that_is_gone_raises_device_lost(spi):
    assert spi("""
        import errno
        @on()
        async def main(device):
            fake.fake_fail(errno.ESHUTDOWN, 1)
            queue = device.queue()
            for awaitable in device.transfer(b"a"), queue.get():
                try:
                    await awaitable
                except awaitd.DeviceLost as error:
                    print("lost", error.device)
        """) == "lost adc\nlost adc\n"


def test_transfers_of_many_tasks_are_made_in_order(spi):
    assert spi("""
        @on()
        async def main(device):
            answers = await asyncio.gather(
                *(device.transfer(bytes([i])) for i in range(200)))
            print(answers == [bytes([i]) for i in range(200)])
            print(device.stats()["send"])
        """).startswith("True\nawaitd.SendStats(submitted=200, sent=200,")


def test_transfer_that_is_cancelled_leaves_the_next_its_own_answer(spi):
    assert spi("""
        @on()
        async def main(device):
            task = asyncio.create_task(device.transfer(b"first"))
            await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                print("cancelled")
            print(await device.transfer(b"second"))
        """) == "cancelled\nb'second'\n"


def test_transfer_never_awaited_is_told(spi):
    assert spi("""
        import gc, warnings
        warnings.simplefilter("error")
        said = []
        sys.unraisablehook = lambda info: said.append(str(info.exc_value))
        @on()
        async def main(device):
            device.transfer(b"a")
            gc.collect()
            print(said, fake.fake_messages())
        """) == ("['transfer() on device adc was never awaited: it was not "
                 "made'] 0\n")


def test_transfer_is_awaited_once(spi):
    assert spi("""
        @on()
        async def main(device):
            transfer = device.transfer(b"a")
            await transfer
            try:
                await transfer
            except RuntimeError as error:
                print(error)
        """) == "cannot reuse already awaited transfer()\n"


def test_transfer_on_a_closed_device_raises_device_lost(spi):
    assert spi("""
        async def main():
            device = adc()
            device.close()
            try:
                await device.transfer(b"a")
            except awaitd.DeviceLost:
                print("lost")
        asyncio.run(main())
        """) == "lost\n"


# ---- samples ----


def test_samples_on_a_period_are_frames(spi):
    assert spi("""
        @on(sample="80", sample_bytes=6, period_us=1000)
        async def main(device):
            queue = device.queue()
            frames = [await queue.get() for _ in range(50)]
            numbers = [int.from_bytes(f.data[1:5], "big") for f in frames]
            print(numbers == list(range(50)), type(frames[0]).__name__)
            print(all(a.monotonic_ns < b.monotonic_ns
                      for a, b in zip(frames, frames[1:])))
            print(device.late_max_ns > 0, device.missed, queue.stats().dropped)
        """) == "True Frame\nTrue\nTrue 0 0\n"


def test_samples_begin_with_the_first_queue(spi):
    assert spi("""
        @on(sample="80 00 00 00 00", data_ready="ready")
        async def main(device):
            print(await device.transfer(b"set up"), fake.fake_messages())
            queue = device.queue()
            fake.fake_edge(12345, 0)
            frame = await queue.get()
            print(frame.data, frame.monotonic_ns)
        """) == "b'set up' 1\nb'\\x80\\x00\\x00\\x00\\x00' 12345\n"


def test_missed_edges_are_in_the_ledger(spi):
    assert spi("""
        @on(sample="80 00 00 00 00", data_ready="ready")
        async def main(device):
            queue = device.queue()
            fake.fake_edge(1000, 0)
            await queue.get()
            fake.fake_edge(2000, 7)
            frame = await queue.get()
            stats = queue.stats()
            print(frame.seq, frame.lost_before, frame.lost_cause)
            print(stats.received, stats.delivered, stats.dropped_kernel)
            print(device.missed)
        """) == "8 7 kernel\n9 2 7\n7\n"


def test_transfers_go_between_samples(spi):
    assert spi("""
        @on(sample="80", sample_bytes=5, period_us=500)
        async def main(device):
            queue = device.queue()
            for i in range(50):
                await queue.get()
                assert await device.transfer(bytes([i])) == bytes([i])
            print(device.stats()["send"].sent, queue.stats().dropped)
        """) == "50 0\n"


def test_samples_beside_a_script_that_computes_are_accounted_for(spi):
    assert spi("""
        @on(sample="80", sample_bytes=6, period_us=100)
        async def main(device):
            small, large = device.queue(depth=64), device.queue(depth=65536)
            while large.stats().received < 5000:  # the loop never turns
                pass
            device.close()
            for queue in small, large:
                frames = await queue.get_many(65536)
                stats = queue.stats()
                numbers = [int.from_bytes(f.data[1:5], "big") for f in frames]
                assert stats.received == stats.delivered + stats.dropped
                first = numbers[0]  # the second queue came later
                assert numbers == list(range(first, first + len(numbers)))
                print(len(frames) >= 5000, stats.dropped == stats.received - 64)
        """) == "False True\nTrue False\n"


# ---- opening ----


def test_device_that_is_not_there_is_refused_with_a_remedy(python):
    process = python("""
        import awaitd
        try:
            awaitd.open("spi:/dev/spidev97.5")
        except awaitd.DeviceError as error:
            print(error.errno, error)
        """)
    assert process.finish() == 0, process.stderr
    assert process.stdout.startswith("2 ")
    assert "there is no /dev/spidev97.5: `ls /dev/spidev*`" in process.stdout


def test_file_that_is_no_spi_device_is_refused(python, tmp_path):
    path = tmp_path / "file"
    path.touch()
    process = python("""
        import sys
        import awaitd
        try:
            awaitd.open({"driver": "spi", "path": sys.argv[1]})
        except awaitd.DeviceError as error:
            print(error)
        """, str(path))
    assert process.finish() == 0, process.stderr
    assert "is no SPI device" in process.stdout


# ---- in the daemon ----


def test_daemon_samples_and_transfers(run_daemon, tmp_path):
    script = tmp_path / "sampler.py"
    script.write_text(textwrap.dedent("""
        from awaitd.devices import adc
        queue = adc.queue()
        print(await adc.transfer(b"hello"))
        frames = [await queue.get() for _ in range(20)]
        print(len(frames), adc.missed)
        """))
    process = run_daemon(
        "run", "-d", "adc=spi:/dev/spidev0.0,sample=80,sample_bytes=6,"
        "period_us=2000", script, env={"LD_PRELOAD": str(FAKE)})
    assert process.finish() == 0, process.stderr
    assert process.stdout == "b'hello'\n20 0\n"
    assert "exact" in process.stderr


@pytest.fixture
def daemon(run_daemon, tmp_path):
    """daemon(source, options) -> Process: on adc, sampling, with a report."""

    def start(source: str, options: str) -> Process:
        script = tmp_path / "script.py"
        script.write_text(textwrap.dedent(source))
        return run_daemon(
            "run", "-d", f"adc=spi:/dev/spidev0.0,sample=80,{options}",
            "--stats-json", tmp_path / "stats.json", script,
            env={"LD_PRELOAD": str(FAKE)})

    return start


def adc_report(folder: Path) -> dict[str, Any]:
    """What --stats-json has of the one device."""
    report = json.loads((folder / "stats.json").read_text(encoding="utf-8"))
    assert report["exact"] is True
    (device,) = report["devices"]
    assert isinstance(device, dict)
    return device


def test_missed_edges_are_in_the_daemons_ledger(daemon, tmp_path):
    process = daemon("""
        import ctypes
        from awaitd.devices import adc
        fake = ctypes.CDLL(None)
        fake.fake_edge.argtypes = [ctypes.c_uint64, ctypes.c_uint32]
        queue = adc.queue()
        for number, missed in enumerate((0, 7, 0, 4), 1):
            fake.fake_edge(number * 1000, missed)
            await queue.get()
        """, "data_ready=ready")
    assert process.finish() == 0, process.stderr
    device = adc_report(tmp_path)
    assert (device["status"]["missed"], device["status"]["overruns"]) == (11, 0)
    (queue,) = device["queues"]
    assert (queue["received"], queue["delivered"]) == (15, 4)
    assert queue["dropped"]["kernel"] == 11
    assert "\n  adc: 11 edges missed\n" in process.stderr


def test_overruns_are_in_the_daemons_ledger(daemon, tmp_path):
    """The whole daemon is held, again and again, for more than a period."""
    process = daemon("""
        from awaitd.devices import adc
        queue = adc.queue()
        while not adc.overruns:
            await queue.get()
        print("late", adc.overruns, flush=True)
        """, "sample_bytes=6,period_us=1000")

    def hold() -> None:
        process.signal(signal.SIGSTOP)
        threading.Event().wait(0.02)
        process.signal(signal.SIGCONT)

    seen = int(process.line_after(hold, "late").split()[1])
    assert process.finish() == 0, process.stderr
    device = adc_report(tmp_path)
    overruns = device["status"]["overruns"]
    assert overruns >= seen > 0
    assert device["status"]["missed"] == 0
    (queue,) = device["queues"]  # what was never taken was never lost
    assert queue["dropped"]["kernel"] == 0
    told = "sample too late" if overruns == 1 else "samples too late"
    assert f"\n  adc: {overruns} {told}\n" in process.stderr


def test_daemon_refuses_options_that_do_not_fit(run_daemon, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("")
    process = run_daemon("run", "-d", "adc=spi:/dev/spidev0.0,sample=80",
                         script)
    assert process.finish() == 78
    assert "say when by period_us or data_ready" in process.stderr
