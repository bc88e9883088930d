# The list holds no reference.
s/atomic_exchange_explicit\(&queue->listed, false, memory_order_acq_rel\);//
