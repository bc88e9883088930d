from awaitd.devices import CANbus

speeds = CANbus.queue(filters=[{"can_id": 0x0B4, "can_mask": 0x7FF}])
async for frame in speeds:
    km_h = int.from_bytes(frame.data[4:6], "big") / 100
    if km_h > 50:
        print(f"{frame.timestamp:.3f}  {km_h:.1f} km/h, in {frame}")
        break

print(speeds.stats().dropped, "frames lost")
