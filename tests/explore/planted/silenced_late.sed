# The bridge clears `listed` and then silences the bell and takes the list.
s/aw_eventfd_clear\(waker->fd\);\n(.*return )(atomic_exchange_explicit\(&waker->ready, NULL, memory_order_acquire\));/struct aw_queue *first_ = \2; aw_eventfd_clear(waker->fd); return first_;/
