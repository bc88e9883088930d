# The reader publishes its ledger behind the ring.
s/publish_ledger\(queue\);\n( *if \(queue->ring.published != queue->ring.head\) \{\n *aw_ring_publish\(&queue->ring\);)/\1 publish_ledger(queue);/
