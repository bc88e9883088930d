"""Requests to the control socket by another user."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from control import Controlled

# Asks as another user, and prints the answers.
ASK = """
import json, socket, sys
client = socket.socket(socket.AF_UNIX)
client.settimeout(20)
try:
    client.connect(sys.argv[1])
except PermissionError:
    print("cannot connect")
    sys.exit()
for request in sys.argv[2:]:
    try:
        client.sendall(request.encode() + b"\\n")
    except BrokenPipeError:
        pass
    print(client.recv(65536).decode(), end="")
"""


def let_in(folder: Path, bits: int) -> None:
    """Open it and pytest's folders above it to others, who get these bits."""
    for path in (folder, *folder.parents):
        if path.stat().st_uid == os.geteuid() and path != path.parent:
            path.chmod(path.stat().st_mode | bits)
        if path.name.startswith("pytest-of-"):
            break


def ask_as(
    control: Controlled,
    *requests: str,
    uid: int = 65534,
    gid: int = 65534,
    groups: tuple[int, ...] = (),
) -> list[str]:
    """"yes", or the code of the error, for each request."""
    if os.geteuid() != 0:
        pytest.skip("only root can ask as somebody else")
    let_in(control.folder, 0o011)
    member = ["--groups", ",".join(map(str, groups))] if groups else []
    result = subprocess.run(
        [
            *("setpriv", f"--reuid={uid}", f"--regid={gid}"),
            *(member or ["--clear-groups"]),
            *("/usr/bin/python3", "-c", ASK, control.path, *requests),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    if "cannot connect" in result.stdout:
        return ["cannot connect"]
    answers = map(json.loads, result.stdout.splitlines())
    return [it["ok"] and "yes" or it["error"]["code"] for it in answers]
