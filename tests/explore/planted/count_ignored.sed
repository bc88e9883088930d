# Who waits at a count is sent back as long as anything is there.
s/aw_queue_pending\(queue\) <= seen/aw_queue_pending(queue) == 0/
