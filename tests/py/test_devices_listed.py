"""`awaitd devices`, on a machine that is a folder: sysfs and /dev as they are
with the hardware that this one may not have."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.daemon

ARPHRD_ETHER, ARPHRD_CAN, ARPHRD_LOOPBACK, ARPHRD_NONE = 1, 280, 772, 65534
IFF_UP = 1


class Machine:
    """A root with `sys` and `dev`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "dev").mkdir()

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")

    def link(self, path: str, target: str) -> None:
        """As in sysfs: relative."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.symlink_to(os.path.relpath(self.root / target, file.parent))

    def interface(self, name: str, kind: int, **facts: object) -> None:
        known = {"flags": "0x1", "mtu": 16, "carrier": 1, "address": "",
                 "type": kind}
        for key, value in (known | facts).items():
            self.write(f"sys/class/net/{name}/{key}", str(value))

    def plug_in_usb(self, name: str, serial: str | None) -> None:
        """An adapter at a hub that has a serial number itself."""
        hub = "sys/devices/pci0/usb1"
        port = f"{hub}/1-{len(name)}"
        self.write(f"{hub}/serial", "0000:00:14.0")
        self.write(f"{hub}/idVendor", "1d6b")
        self.write(f"{port}/idVendor", "1d50")
        if serial:
            self.write(f"{port}/serial", serial)
        self.write(f"{port}/1-1:1.0/bInterfaceNumber", "00")
        self.write("sys/bus/usb/drivers/gs_usb/bind", "")
        self.link(f"{port}/1-1:1.0/driver", "sys/bus/usb/drivers/gs_usb")
        self.link(f"sys/class/net/{name}/device", f"{port}/1-1:1.0")

    def node(self, name: str, mode: int) -> Path:
        path = self.root / "dev" / name
        path.touch()
        path.chmod(mode)
        return path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def listed(machine, run_daemon):
    """listed(): {name: object}, in order."""

    def run() -> dict[str, dict]:
        process = run_daemon("devices", "--json", "--root", machine.root)
        assert process.finish() == 0, process.stderr
        return {it["name"]: it for it in json.loads(process.stdout)}

    return run


@pytest.fixture
def table(machine, run_daemon):
    """table(): the lines for people."""

    def run() -> list[str]:
        process = run_daemon("devices", "--root", machine.root)
        assert process.finish() == 0, process.stderr
        return process.stdout.splitlines()

    return run


def test_a_can_interface_is_told_with_what_to_paste(machine, listed):
    machine.interface("can0", ARPHRD_CAN, mtu=72)
    machine.plug_in_usb("can0", "0031003D")
    can0 = listed()["can0"]
    assert can0 == {
        "kind": "can", "name": "can0", "may_open": True, "advice": None,
        "summary": "up, gs_usb, USB serial 0031003D, FD",
        "device": "can0=can:can0", "up": True, "carrier": True, "mtu": 72,
        "fd": True, "kernel_driver": "gs_usb", "usb_serial": "0031003D",
        # Nobody's kernel knows the interfaces of a folder.
        "bus_state": None, "bitrate": None, "dbitrate": None,
    }


def test_the_serial_is_not_that_of_the_hub(machine, listed):
    machine.interface("can0", ARPHRD_CAN)
    machine.plug_in_usb("can0", None)
    assert listed()["can0"]["usb_serial"] is None


def test_an_interface_that_is_down_says_how_to_take_it_up(machine, listed):
    machine.interface("can0", ARPHRD_CAN, flags="0x0", carrier="")
    machine.plug_in_usb("can0", "1")
    machine.interface("vcan0", ARPHRD_CAN, flags="0x0", carrier="")
    found = listed()
    assert found["can0"]["advice"] == (
        "it is down: `ip link set can0 up type can bitrate RATE`"
    )
    assert found["vcan0"]["advice"] == "it is down: `ip link set vcan0 up`"
    assert found["vcan0"]["carrier"] is None


def test_an_interface_without_carrier_says_so(machine, listed):
    machine.interface("can0", ARPHRD_CAN, carrier=0)
    found = listed()["can0"]
    assert found["carrier"] is False
    assert found["summary"] == "up, no carrier"


def test_network_interfaces_are_a_section_of_their_own(machine, listed):
    machine.interface("eth0", ARPHRD_ETHER, address="02:00:00:00:00:01",
                      mtu=1500)
    eth0 = listed()["eth0"]
    assert (eth0["kind"], eth0["mtu"]) == ("net", 1500)
    assert eth0["address"] == "02:00:00:00:00:01"


def test_what_packet_refuses_is_not_there_to_paste(machine, listed):
    """A tunnel's frames have no Ethernet header."""
    machine.interface("tun0", ARPHRD_NONE)
    machine.interface("lo", ARPHRD_LOOPBACK)
    found = listed()
    assert found["tun0"]["device"] is None
    assert found["tun0"]["advice"] == (
        "its frames have no Ethernet header: by UDP only"
    )
    assert (found["lo"]["device"], found["lo"]["advice"]) == (
        "lo=packet:lo", None
    )


def test_interfaces_are_in_the_order_of_their_numbers(machine, listed):
    for number in (10, 2, 1):
        machine.interface(f"can{number}", ARPHRD_CAN)
    assert list(listed()) == ["can1", "can2", "can10"]


def test_a_name_that_cannot_be_imported_is_changed(machine, listed):
    machine.interface("0-can.5", ARPHRD_CAN)
    assert listed()["0-can.5"]["device"] == "_0_can_5=can:0-can.5"


def test_spidev_is_told_with_its_node(machine, listed):
    machine.write("sys/class/spidev/spidev0.1/device/modalias", "spi:dh2228fv")
    node = machine.node("spidev0.1", 0o666)
    found = listed()["spidev0.1"]
    assert found["may_open"] is True
    assert found["node"] == str(node)
    assert found["summary"] == f"{node}, spi:dh2228fv"


def test_a_node_that_is_missing_says_so(machine, listed):
    machine.write("sys/class/spidev/spidev0.1/device/modalias", "spi:x")
    found = listed()["spidev0.1"]
    assert found["may_open"] is False
    assert "is not there" in found["advice"]


def test_a_chip_that_does_not_answer_is_told_without_lines(machine, listed):
    (machine.root / "sys/bus/gpio/devices/gpiochip0").mkdir(parents=True)
    machine.node("gpiochip0", 0o666)
    found = listed()
    assert list(found) == ["gpiochip0"]
    assert found["gpiochip0"]["may_open"] is True


def test_the_table_has_a_line_for_each(machine, table):
    machine.interface("can0", ARPHRD_CAN, flags="0x0")
    machine.interface("can10", ARPHRD_CAN)
    assert table() == [
        "CAN interfaces:",
        "  can0   down  -d can0=can:can0",
        "         it is down: `ip link set can0 up`",
        "  can10  up    -d can10=can:can10",
        "SPI devices:",
        "  none with a /dev/spidevB.C",
        "GPIO chips, and lines by name:",
        "  none",
        "Network interfaces:",
        "  none",
    ]


def test_the_table_says_who_may_not(machine, table):
    machine.write("sys/class/spidev/spidev0.0/device/modalias", "spi:x")
    assert any(
        line.strip().startswith("not for this user: ") for line in table()
    )


def test_this_machine_has_a_loopback(run_daemon):
    process = run_daemon("devices", "--json")
    assert process.finish() == 0, process.stderr
    names = {it["name"]: it["kind"] for it in json.loads(process.stdout)}
    assert names["lo"] == "net"


def test_a_word_too_many_is_refused(run_daemon):
    process = run_daemon("devices", "can0")
    assert process.finish() == 64
    assert "awaitd help devices" in process.stderr
