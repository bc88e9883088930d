# The end is announced before it is there.
s/(aw_queue_settle\(queue, state, failure\);)\n *announce\(queue\);/announce(queue); \1/
