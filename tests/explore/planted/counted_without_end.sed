# Who waits at a count does not look for the end.
s/(atomic_load_explicit\(&queue->outcome, memory_order_acquire\) ==\n *AW_QUEUE_OPEN)\)/(seen > 0 || \1))/
