# The reader says that it waits, and does not look again.
s/return count_stall\(queue, room\(queue\)\);/return count_stall(queue, 0);/
