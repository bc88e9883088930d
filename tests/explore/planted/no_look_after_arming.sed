# The consumer does not look again once it has armed.
s/if \(aw_queue_pending\(queue\) == 0 &&/if (true ||/
