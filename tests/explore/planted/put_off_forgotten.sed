# The wake that was put off is forgotten.
s/queue->put_off = true;/queue->put_off = false;/
