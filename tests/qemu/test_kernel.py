"""The guest itself: what the other tests here take for granted."""

from __future__ import annotations

import os
from pathlib import Path

from can_peers import cansend, ip, link, wait_for_listener


def test_kernel_is_debians_in_qemu():
    assert os.uname().release.endswith("-amd64")
    assert "QEMU" in Path("/proc/cpuinfo").read_text(encoding="ascii")
    assert os.cpu_count() == 2


def test_interfaces_are_controllers_with_a_bit_rate(controllers):
    for name in ("can0", "can1"):
        driver = Path(f"/sys/class/net/{name}/device/driver").resolve()
        shown = link(name)
        data = shown["linkinfo"]["info_data"]
        assert driver.name == "kvaser_pci"
        assert data["bittiming"]["bitrate"] == 500_000
        assert data["state"] == "ERROR-ACTIVE"
        assert "LOWER_UP" in shown["flags"]


def test_controller_that_is_down_has_neither_state_nor_carrier(controllers):
    ip("link", "set", "can1", "down")
    shown = link("can1")
    assert shown["linkinfo"]["info_data"]["state"] == "STOPPED"
    assert "LOWER_UP" not in shown["flags"]


def test_frames_cross_the_bus(controllers, candump):
    dump = candump("can1")
    frames = ["123#0102", "123#R", "12345678#", "7FF#1122334455667788"]
    cansend("can0", *frames)
    assert [dump.frame() for _ in frames] == frames


# ---- what the drivers `isotp` and `j1939` will have as peers ----

# A transport's packets come without a pause, and a controller of QEMU holds
# four of them; vcan0 and vcan1 hold any number.
MESSAGE = "It has 24 letters, so 4."


def test_isotp_message_crosses_the_bus(controllers, start_process, tmp_path):
    receiver = start_process(
        *"isotprecv -s 456 -d 123 can1".split(), deadline_s=60
    )
    wait_for_listener("can1", "isotp")
    message = tmp_path / "message"
    message.write_text(MESSAGE.encode().hex(" "), encoding="ascii")
    sender = start_process(
        "sh", "-c", f"isotpsend -b -s 123 -d 456 can0 <{message}"
    )
    assert sender.finish() == 0, sender.stderr
    assert receiver.finish() == 0, receiver.stderr
    assert bytes.fromhex(receiver.stdout) == MESSAGE.encode()


def test_j1939_message_crosses_the_bus(controllers, start_process, tmp_path):
    receiver = start_process("j1939cat", "-r", "can1:0x90", deadline_s=60)
    wait_for_listener("can1", "j1939")
    message = tmp_path / "message"
    message.write_text(f"{MESSAGE}\n", encoding="ascii")
    # Debian 12's j1939cat trips over the kernel's report on what it has sent, so
    # that its exit status says nothing.
    start_process("j1939cat", "-i", message, "can0:0x80", ":0x90,0x12300")
    assert receiver.line() == MESSAGE
