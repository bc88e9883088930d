"""Processes that are refused what they ask for: as an ordinary user, or under
a seccomp filter as RestrictAddressFamilies= and SystemCallFilter= of a systemd
unit make it.

    refused.py ERRNO FAMILY… -- COMMAND…

runs COMMAND, in which socket() of these families fails so."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# It never gets to run.
SCRIPT = ROOT / "examples" / "three_lines.py"
UNAVAILABLE = 69

# As in asm/unistd.h, linux/prctl.h, linux/seccomp.h and linux/bpf_common.h.
_SOCKET = {"x86_64": 41, "aarch64": 198}
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_SECCOMP_MODE_FILTER = 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _FIRST_ARGUMENT = 0, 16  # in struct seccomp_data


def without(*families: int, code: int) -> list[str]:
    """What to put before a command that is to have no such sockets."""
    words = [str(code), *(str(int(family)) for family in families)]
    return [sys.executable, __file__, *words, "--"]


def refusal(start_process: Any, before: list[str], device: str) -> str:
    """What awaitd says where this device is refused, as it must be."""
    build = Path(os.environ.get("AWAITD_BUILD", ROOT / "build")).resolve()
    binary = build / "daemon" / "awaitd"
    process = start_process(
        *before, binary, "run", "-d", device, SCRIPT, deadline_s=60
    )
    status = process.finish()
    assert status == UNAVAILABLE, f"{status}: {process.stderr}"
    # There may be warnings before it, as of a receive buffer.
    (*_, line) = process.stderr.splitlines()
    name = device.partition("=")[0]
    assert line.startswith(f"awaitd: error: device {name}: ")
    return str(line)


def _filter(families: list[int], code: int) -> bytes:
    """A classic BPF program."""
    count = len(families)
    lines = [
        (_LOAD_WORD, 0, 0, _NUMBER),
        (_JUMP_IF_EQUAL, 0, count + 1, _SOCKET[platform.machine()]),
        (_LOAD_WORD, 0, 0, _FIRST_ARGUMENT),
        *(
            (_JUMP_IF_EQUAL, count - place, 0, family)
            for place, family in enumerate(families)
        ),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | code),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _restrict(families: list[int], code: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    lines = ctypes.create_string_buffer(_filter(families, code))
    program = struct.pack("@HP", len(lines) // 8, ctypes.addressof(lines))
    for words in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0),
        (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program),
    ):
        if libc.prctl(*words, 0, 0) < 0:
            raise OSError(ctypes.get_errno(), "prctl")


def main() -> None:
    words, command = sys.argv[1:], []
    place = words.index("--")
    words, command = words[:place], words[place + 1 :]
    _restrict([int(word) for word in words[1:]], int(words[0]))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
