# Data that begin beyond the block.
# Found as: heap-buffer-overflow .* in copy_data\>
s/ \|\| header->tp_mac > room\)/)/
