# The bridge sees a send that is done, and not yet how it ended.
s/send, memory_order_release/send, memory_order_relaxed/
