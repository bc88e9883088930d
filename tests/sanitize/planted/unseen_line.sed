# The writer sees that a line is there, and not yet the line.
# Found as: data race \(pid=[0-9]+\)[^=]* in aw_output_ring_take\>
s/(&ring->put, put, )memory_order_release/\1memory_order_relaxed/
