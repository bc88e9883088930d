# The consumer looks, and arms after that.
s/(atomic_exchange_explicit\(&queue->armed, waker, memory_order_acq_rel\);)\n(.*AW_QUEUE_OPEN\))\n/\2 { \1/
s/\{ (atomic_exchange[^;]*;)( *)return true;/{ \1 return true; }/
