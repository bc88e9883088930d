# The consumer does so.
s/publish_ledger\(queue, released\);\n( *aw_ring_release\(&queue->ring, end, released\);)/\1 publish_ledger(queue, 0);/
