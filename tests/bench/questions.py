"""How soon the daemon answers, and whether the GIL matters for that."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import _awaitd
from common import DEADLINE_S

QUESTIONS = ("status", "queues", "scripts", "metrics")
# In libc.system() by PyDLL the GIL is kept until the shell has read its line.
SCRIPT = """
import asyncio, ctypes, sys
from awaitd.devices import bus
queues = [bus.queue() for _ in range(8)]
fifo = sys.argv[1]
if fifo == "none":
    print("ready", flush=True)
    await asyncio.Event().wait()
ctypes.PyDLL(None).system(f"echo ready; read word < {fifo}".encode())
"""


def ask(connection: socket.socket, question: str) -> float:
    """Milliseconds."""
    begin = time.perf_counter()
    connection.sendall(json.dumps({"command": question}).encode() + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        answer += connection.recv(1 << 20)
    took = time.perf_counter() - begin
    assert json.loads(answer)["ok"], answer
    return took * 1000


def ask_all(path: Path, name: str, seconds: float) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {it: [] for it in QUESTIONS}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(DEADLINE_S)
        connection.connect(str(path))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for question in QUESTIONS:
                times[question].append(ask(connection, question))
    return {f"{it}, {name}": sorted(found) for it, found in times.items()}


def measure_one(name: str, held: bool, seconds: float) -> dict[str, list[float]]:
    daemon = Path(_awaitd.__file__).parent / "daemon" / "awaitd"
    with tempfile.TemporaryDirectory() as folder:
        fifo, path = Path(folder, "fifo"), Path(folder, "control.sock")
        script = Path(folder, "script.py")
        script.write_text(SCRIPT)
        os.mkfifo(fifo)
        with subprocess.Popen(
            [daemon, "run", "-q", "--socket", path, "-d", "bus=virtual:can",
             script, fifo if held else "none"],
            stdout=subprocess.PIPE, text=True,
        ) as process:
            try:
                assert process.stdout and process.stdout.readline() == "ready\n"
                found = ask_all(path, name, seconds)
                if held:
                    fifo.write_text("let go\n")
                    process.wait(DEADLINE_S)
            finally:
                process.terminate()
    return found


def measure(seconds: float) -> dict[str, list[float]]:
    """By what was asked and when, sorted. For `seconds` each."""
    waiting = measure_one("the script waits", False, seconds)
    return waiting | measure_one("the GIL is held", True, seconds)
