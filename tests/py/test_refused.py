"""A device that this process may not have: what is refused, and what would let
it have it. Nothing here wants a kernel of its own; more of it is in tests/guest
and tests/qemu.

Who may open what, by driver:

    can, bcm, isotp, j1939   everybody, unless a unit's RestrictAddressFamilies=
                             or SystemCallFilter= keeps the sockets from it;
                             setting a bit rate and J1939's priorities 0 and 1
                             take CAP_NET_ADMIN (tests/guest)
    udp                      likewise; ports below 1024 (tests/guest)
    packet                   who has CAP_NET_RAW
    spi, GPIO lines          who may open the node (tests/qemu)
    replay, serial           who may open the file
    virtual                  everybody: it is memory, and cannot be refused
"""

from __future__ import annotations

import errno
import os
import pty
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import others
import refused

pytestmark = pytest.mark.daemon

CAN_DEVICES = {
    "can": "bus=can:can0",
    "bcm": "bus=bcm:can0,watch=123",
    "isotp": "bus=isotp:can0,tx_id=0x7E0,rx_id=0x7E8",
    "j1939": "bus=j1939:can0",
}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """That everybody may look into; pytest's own is for one user."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


# ---- sockets ----


@pytest.mark.parametrize("driver", CAN_DEVICES)
def test_restricted_families_without_can_are_named(start_process, driver):
    before = refused.without(socket.AF_CAN, code=errno.EAFNOSUPPORT)
    told = refused.refusal(start_process, before, CAN_DEVICES[driver])
    module = "can-raw" if driver == "can" else f"can-{driver}"
    assert f"`modprobe {module}`" in told
    assert "RestrictAddressFamilies= must allow AF_CAN" in told


@pytest.mark.parametrize("driver", CAN_DEVICES)
def test_filtered_can_sockets_are_no_matter_of_capabilities(
    start_process, driver
):
    before = refused.without(socket.AF_CAN, code=errno.EPERM)
    told = refused.refusal(start_process, before, CAN_DEVICES[driver])
    assert "seccomp filter refuses (no capability is needed for it)" in told


@pytest.mark.parametrize(
    ("family", "bind"),
    [(socket.AF_INET, "127.0.0.1:5005"), (socket.AF_INET6, "[::1]:5005")])
def test_restricted_families_without_ip_are_named(start_process, family, bind):
    before = refused.without(family, code=errno.EAFNOSUPPORT)
    told = refused.refusal(start_process, before, f"net=udp:{bind}")
    assert f"cannot bind {bind}" in told
    assert "RestrictAddressFamilies= must allow AF_INET" in told


def test_filtered_udp_sockets_are_no_matter_of_capabilities(start_process):
    before = refused.without(socket.AF_INET, code=errno.EPERM)
    told = refused.refusal(start_process, before, "net=udp:127.0.0.1:5005")
    assert "seccomp filter refuses (no capability is needed for it)" in told


def test_packet_of_an_ordinary_user_names_the_capability(start_process):
    told = refused.refusal(
        start_process, others.without_rights(), "wire=packet:lo")
    assert "raw Ethernet needs CAP_NET_RAW" in told
    assert "AmbientCapabilities=CAP_NET_RAW" in told


def test_restricted_families_without_packet_are_named(start_process):
    before = refused.without(socket.AF_PACKET, code=errno.EAFNOSUPPORT)
    told = refused.refusal(start_process, before, "wire=packet:lo")
    assert "RestrictAddressFamilies= must allow AF_PACKET" in told


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: NOT tested")
def test_restricted_families_without_netlink_are_named(start_process):
    before = refused.without(socket.AF_NETLINK, code=errno.EAFNOSUPPORT)
    told = refused.refusal(start_process, before, "wire=packet:lo")
    assert "cannot watch interface lo" in told
    assert "RestrictAddressFamilies= must allow AF_NETLINK" in told


# ---- files ----


def test_log_of_another_user_is_named(start_process, open_folder):
    log = open_folder / "secret.log"
    log.touch(mode=0)
    told = refused.refusal(
        start_process, others.without_rights(), f"drive=replay:{log}")
    assert f"cannot open the log {log}: Permission denied" in told
    assert "chmod" in told


@pytest.fixture
def serial_so(open_folder: Path) -> Path:
    """The example of a driver of one's own, built."""
    headers, build = open_folder / "prefix", open_folder / "build"
    awaitds = os.environ.get("AWAITD_BUILD", refused.ROOT / "build")
    for command in (
        ["cmake", "--install", awaitds, "--component", "headers",
         "--prefix", headers],
        ["cmake", "-G", "Ninja", "-S", refused.ROOT / "examples" / "driver",
         "-B", build, f"-DCMAKE_PREFIX_PATH={headers}"],
        ["cmake", "--build", build],
    ):
        subprocess.run(command, check=True, timeout=120, capture_output=True)
    return build / "serial.so"


def test_serial_line_of_another_user_names_the_group(start_process, serial_so):
    far, near = pty.openpty()
    node = os.ttyname(near)
    os.fchmod(near, 0)
    told = refused.refusal(
        start_process, others.without_rights(), f"line={serial_so}:{node}")
    os.close(near)
    os.close(far)
    assert f"cannot open {node}: Permission denied" in told
    assert "`adduser $USER dialout`" in told
    assert "SupplementaryGroups=" in told
