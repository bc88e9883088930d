# A queue that was listed once is never listed again.
s/atomic_exchange_explicit\(&queue->listed, false, memory_order_acq_rel\);//
