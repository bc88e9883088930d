from awaitd.devices import CANbus
can_q = CANbus.queue()
message = await can_q.get()
