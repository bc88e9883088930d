# An attribute that ends behind the message.
s/head\.rta_len > span->left\)/head.rta_len > span->left + 4)/
