# The reader publishes its ledger behind the ring.
s/publish_ledger\(queue\);\n( *pushed = publish_frames\(queue\);)/\1\n    publish_ledger(queue);/
