# The reader says that it waits, and does not look again.
s/(room_wanted, true,\n *memory_order_acq_rel\);)\n *slots = room\(queue\);/\1/
