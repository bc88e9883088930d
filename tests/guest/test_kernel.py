"""The guest itself: what the other tests here take for granted."""

import subprocess

from can_peers import cangen_command, cansend


def test_kernel_is_the_guests():
    with open("/proc/cpuinfo", encoding="ascii") as cpus:
        assert "User Mode Linux" in cpus.read()


def test_candump_sees_what_cansend_sends(candump):
    dump = candump("vcan0")
    cansend("vcan0", "123#0102", "123#R5", "12345678#", "123##311223344")
    frames = [dump.frame() for _ in range(4)]
    assert frames[:3] == ["123#0102", "123#R5", "12345678#"]
    assert frames[3].endswith("11223344")


def test_cangen_counts_up_in_its_data(candump):
    dump = candump("vcan1")
    subprocess.run(cangen_command("vcan1", 3), check=True, timeout=10)
    assert [dump.frame() for _ in range(3)] == [
        "000#0000000000000000",
        "001#0100000000000000",
        "002#0200000000000000",
    ]
