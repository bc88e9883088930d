# The end is announced before it is there.
s/(aw_queue_set_outcome\(queue, state, failure\);)\n *announce\(queue\);/announce(queue);\n    \1/
