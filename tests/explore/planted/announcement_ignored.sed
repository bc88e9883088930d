# The producer does not look at the announcement.
s/return ring->head - ring->free_until <= ring->mask;\n\}/return true;\n}/
