# The consumer publishes its ledger behind the ring.
s/publish_ledger\(queue, count\);\n( *aw_ring_release\(&queue->ring, end, count\);)/\1 publish_ledger(queue, 0);/
