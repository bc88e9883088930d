# A full ring takes one frame more.
s/(if \(ring->evicting\)\n *return reserve_evicting\(ring, ret_error\);\n *if \(ring->head - ring->tail_seen) >= ring->depth/\1 > ring->depth/
s/if \(room <= 0\)/if (room < 0)/
