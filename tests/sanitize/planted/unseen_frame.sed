# The consumer sees that a frame is there, and not yet the frame.
s/(&ring->shared->head, )memory_order_acquire/\1memory_order_relaxed/g
