# Data that begin beyond the block.
s/ \|\| header->tp_mac > room\)/)/
