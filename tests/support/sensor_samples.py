"""What the sensor of tests/qemu/sensor plays: a real accelerometer's samples.

    sensor_samples.py DATA_FOLDER >FIRMWARE

Each is x, y and z in mm/s², 16 bits, big-endian. Without the recording, made
ones do.
"""

import csv
import struct
import sys
from pathlib import Path

RECORDING = Path("comma2k19/accelerometer_60s.csv")
MADE = 1000


def samples(data):
    """A list of bytes, one for each sample."""
    recording = Path(data) / RECORDING
    if not recording.is_file():
        return [struct.pack(">3h", i, -i, 9810) for i in range(MADE)]
    with recording.open(newline="", encoding="ascii") as file:
        return [
            struct.pack(">3h", *(round(1000 * float(row[axis])) for axis in "xyz"))
            for row in csv.DictReader(file)
        ]


if __name__ == "__main__":
    sys.stdout.buffer.write(b"".join(samples(sys.argv[1])))
