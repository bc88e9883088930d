# An attribute that ends behind the message: the next one's head is read there,
# or its own value.
# Found as: heap-buffer-overflow .* (in (take|copy|text_is|read_name)|#0 [0-9a-fx]+ in read_attributes)\>
s/head\.rta_len > span->left\)/head.rta_len > span->left + 4)/
