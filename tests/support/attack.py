"""A daemon under attack: scripts that receive traffic all the while, on a
virtual bus and by UDP, and what is to hold of their frames at the end."""

from __future__ import annotations

import json
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from control import Client, Controlled, connect_soon, wait_until
from hosted import Host
from process import Process

# Numbered frames on the bus, some thousand a second, from when the taker listens
# until it is stopped.
SENDER = """
    import asyncio, awaitd, json, pathlib
    from awaitd.devices import bus
    count = 0
    async def main():
        global count
        while not pathlib.Path(__file__).with_name("go").exists():
            await asyncio.sleep(0.01)
        while True:
            for _ in range(16):
                frame = awaitd.CanFrame(0x100, count.to_bytes(8, "big"))
                count += 1
                await bus.send(frame)
            await asyncio.sleep(0.008)
    try:
        await main()
    finally:
        print(json.dumps({"submitted": count}), flush=True)
"""

# Takes from both; each frame is to be the one after the last one.
TAKER = """
    import asyncio, awaitd, json
    from awaitd.devices import bus, net
    found = {"bus": 0, "net": 0, "gaps": 0}
    async def take(name, queue):
        expected = None
        async for frame in queue:
            number = int.from_bytes(frame.data[:8], "big")
            found["gaps"] += expected not in (None, number) or frame.lost_before
            expected = number + 1
            found[name] += 1
    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(take("bus", bus.queue(name="taken")))
            group.create_task(take("net", net.queue(name="taken")))
            print("ready", flush=True)
    try:
        await main()
    finally:
        print(json.dumps(found), flush=True)
"""


def memory_kib(pid: int, kind: str = "VmRSS") -> int:
    """What of a process is in memory; RssAnon is that without the rings."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1])
    raise AssertionError("the process has no memory")


def descriptor_count(pid: int) -> int:
    """How many a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def write_until_full(client: Client, data: bytes) -> None:
    """Returns once the daemon reads no more of it: its answers are not read."""
    client.socket.setblocking(False)
    try:
        while True:
            client.socket.send(data)
    except BlockingIOError:
        pass
    except (BrokenPipeError, ConnectionResetError):
        pass  # it was sent away meanwhile


class Datagrams:
    """Numbered datagrams to a port, from a thread of its own, counted."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.sent = 0
        self._address = address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to:
            while not self._stop.wait(0.004):
                for _ in range(8):
                    to.sendto(self.sent.to_bytes(8, "big"), self._address)
                    self.sent += 1

    def stop(self) -> int:
        """How many there were."""
        self._stop.set()
        self._thread.join()
        return self.sent


class Target:
    """The daemon, its traffic, and a client that watches."""

    def __init__(self, host: Host, run_daemon: Any) -> None:
        self.control = Controlled(host)
        self._host = host
        self._run_daemon = run_daemon
        self.report = host.folder / "stats.json"
        self.datagrams: Datagrams | None = None
        self.process: Process

    def start(
        self,
        *,
        scripts: dict[str, str] | None = None,
        keys: str = "",
        more: str = "",
        deadline_s: float = 120.0,
        **options: Any,
    ) -> None:
        """With sender and taker, and further scripts, which print "ready" once
        they have their queues; `keys` are the file's, `more` is
        in its list of scripts."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            address = free.getsockname()
        lines = ""
        texts = {"taker": TAKER, "sender": SENDER, **(scripts or {})}
        for name, text in texts.items():
            self._host.write(f"{name}.py", text)
            lines += f"  - {{path: {name}.py}}\n"
        file = self._host.write("awaitd.yaml", f"{keys}scripts:\n{lines}{more}")
        self.process = self._run_daemon(
            *("run", "-c", file, "--socket", self.control.path),
            *("--stats-json", self.report, "-d", "bus=virtual:can"),
            *("-d", f"net=udp:{address[0]}:{address[1]}"),
            deadline_s=deadline_s, **options,
        )  # fmt: skip
        waited_for = {"taker", *(scripts or {})}
        while waited_for:
            line = self.process.line(": ready")
            waited_for.discard(line.partition(":")[0])
        (self._host.folder / "go").touch()
        self.datagrams = Datagrams(address)
        self.watcher = self.connect()
        self.go_on()

    def connect(self) -> Client:
        self.control.clients.append(connect_soon(self.control.path))
        return self.control.clients[-1]

    @property
    def pid(self) -> int:
        return self.process.popen.pid

    def delivered(self) -> dict[str, int]:
        """Of the taker's queues, by device."""
        return {
            queue["device"]: queue["delivered"]
            for queue in self.watcher.get("queues")["queues"]
            if queue["script"] == "taker"
        }

    def bus_send(self) -> dict[str, Any]:
        """The ledger of what was sent on the bus."""
        devices = self.watcher.get("devices")["devices"]
        (bus,) = [device for device in devices if device["name"] == "bus"]
        send = bus["send"]
        assert isinstance(send, dict)
        return send

    def go_on(self, frames: int = 100) -> None:
        """Returns once the taker has so many more of each device."""
        before = self.delivered()
        wait_until(
            lambda: all(
                now >= before[device] + frames
                for device, now in self.delivered().items()
            )
        )

    def finish_reloads(self) -> None:
        """Returns once all that were asked for are through."""
        self.watcher.get("reload")  # shares the last one, or is behind it

    def printed(self, script: str) -> dict[str, Any]:
        """What that script has said of itself at its end."""
        lines = [
            line.removeprefix(f"{script}: ")
            for line in self.process.stdout.splitlines()
            if line.startswith(f"{script}: {{")
        ]
        found = json.loads(lines[-1])
        assert isinstance(found, dict)
        return found

    def stop_sender(self) -> int:
        """How many frames it has submitted; none is under way any more."""
        self.watcher.get("stop", script="sender")
        self.process.line("sender: {")
        submitted = self.printed("sender")["submitted"]
        assert isinstance(submitted, int)

        def settled() -> bool:
            # The last one may not have reached the reader when the script ends.
            send = self.bus_send()
            return (send["submitted"], send["pending"]) == (submitted, 0)

        wait_until(settled)
        return submitted

    def stop(self, status: int = 0) -> dict[str, dict[str, Any]]:
        """Ends it, and holds every count against every other. Returns the
        devices of --stats-json by name."""
        assert self.datagrams
        datagrams = self.datagrams.stop()
        wait_until(lambda: not any(
            script["reloading"]
            for script in self.watcher.get("scripts")["scripts"]
        ))  # fmt: skip
        submitted = self.stop_sender()
        sent = {"bus": self.bus_send()["sent"], "net": datagrams}
        wait_until(lambda: self.delivered() == sent)
        self.process.signal(signal.SIGTERM)
        found = self.process.finish()
        assert found == status, self.process.stdout + self.process.stderr
        report = json.loads(self.report.read_text())
        assert report["exact"] is True
        devices = {device["name"]: device for device in report["devices"]}
        taken = self.printed("taker")
        assert taken["gaps"] == 0
        assert devices["bus"]["send"]["submitted"] == submitted
        for name, count in sent.items():
            (queue,) = [
                queue
                for queue in devices[name]["queues"]
                if queue["name"] == "taken"
            ]
            assert queue["received"] == count
            assert queue["delivered"] == taken[name] > 0
            assert queue["dropped"]["overflow"] == 0
            assert queue["dropped"]["kernel"] == 0
        return devices

    def close(self) -> None:
        if self.datagrams:
            self.datagrams.stop()
        self.control.close()


@pytest.fixture
def target(host: Host, run_daemon: Any) -> Any:
    target = Target(host, run_daemon)
    yield target
    target.close()
