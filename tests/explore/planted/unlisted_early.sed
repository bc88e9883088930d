# `listed` is cleared before `ready_next` is read. That read is a plain one: it
# brings its own point.
s/struct aw_queue \*next = queue->ready_next;(.*)return next;/struct aw_queue *next;\1explore_point(\&queue->ready_next); next = queue->ready_next; return next;/
