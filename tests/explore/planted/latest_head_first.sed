# The FIFO shows entries that have no frame yet.
s/(int aw_latest_publish.*)(    for \(uint32_t i = 0; i < latest->batch_count)/\1    atomic_store_explicit(\&latest->shared->head, latest->head + latest->batch_count, memory_order_seq_cst);\n\2/
