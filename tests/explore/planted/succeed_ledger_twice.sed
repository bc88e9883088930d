# Moved frames are counted by both queues.
s/(queue->received \+= stats->received) - moved/\1/
