# The reader looks at the armed word before it publishes.
s/aw_ring_publish\(&queue->ring\);(.*if \(!put_off\(queue\)\)\n *announce\(queue\);)/\1 aw_ring_publish(\&queue->ring);/
