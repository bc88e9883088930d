# What pends is thrown away.
s/aw_queue_offer\(queue, frame\);//
