# The writer sees that a line is there, and not yet the line.
# Found as: data race \(pid=[0-9]+\) Read [^=]* aw_output_ring_take\>[^=]* Previous write [^=]* aw_output_ring_put\>
s/(&ring->put, put, )memory_order_release/\1memory_order_relaxed/
