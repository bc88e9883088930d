"""Answers each frame of the serial line with itself.

awaitd run -d line=./serial.so:/dev/ttyUSB0,baud=9600 echo.py
"""

from awaitd.devices import line

queue = line.queue()
print("ready", flush=True)
async for frame in queue:
    await line.send(frame.data)
