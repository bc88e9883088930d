"""Sends datagrams at a steady rate, then prints how many it has sent.

    python3 examples/send_udp.py RATE SECONDS PORT [PORT…]

To 127.0.0.1; RATE is datagrams a second, to each port. Plain Python: this is
somebody else's program, which knows nothing of awaitd.
"""

from __future__ import annotations

import math
import signal
import socket
import sys
import time

TICK_S = 0.005


def reading(seconds: float) -> bytes:
    """What a temperature sensor might say, padded to 64 bytes."""
    celsius = 21.5 + 1.5 * math.sin(seconds / 2)
    return f"t={seconds:.3f} temperature={celsius:.2f}".ljust(64).encode()


def send(rate: float, seconds: float, ports: list[int]) -> int:
    """Sends what is due, tick by tick; gives the datagrams sent to a port."""
    total = round(rate * seconds)
    begin = time.monotonic()
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        while sent < total:
            due = min(total, int((time.monotonic() - begin) * rate) + 1)
            for number in range(sent, due):
                for port in ports:
                    sender.sendto(reading(number / rate), ("127.0.0.1", port))
            sent = due
            time.sleep(TICK_S)
    return sent


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(send(float(sys.argv[1]), float(sys.argv[2]),
               [int(port) for port in sys.argv[3:]]))
