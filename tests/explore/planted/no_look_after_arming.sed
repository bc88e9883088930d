# The consumer does not look again once it has armed.
s/if \(aw_queue_pending\(queue\) <= seen &&/if (true ||/
