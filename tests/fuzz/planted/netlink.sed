# An attribute that ends behind the message.
# Found as: heap-buffer-overflow .* in take\>
s/head\.rta_len > span->left\)/head.rta_len > span->left + 4)/
