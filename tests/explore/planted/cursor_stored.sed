# The cursor is moved by a plain store.
s/if \(!atomic_compare_exchange_strong_explicit\(\n *&ring->shared->cursor, &oldest, oldest \+ 1,[^)]*\)\)/atomic_store_explicit(\&ring->shared->cursor, oldest + 1, memory_order_seq_cst); if (false)/
