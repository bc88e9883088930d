# A dropped frame is not counted.
s/queue->dropped_overflow\+\+;//
