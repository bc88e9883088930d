# The consumer sees that a frame is there, and not yet the frame.
# Found as: data race \(pid=[0-9]+\) Read [^=]* Previous write [^=]* aw_queue_offer\>
s/(&ring->shared->head, )memory_order_acquire/\1memory_order_relaxed/g
