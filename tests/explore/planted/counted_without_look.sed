# Who waits at a count does not look again once it has armed.
s/if \(aw_queue_pending\(queue\) <= seen &&/if ((seen > 0 || aw_queue_pending(queue) <= seen) \&\&/
