# The producer keeps writing to the slot that it has handed over.
s/back->slot = middle & SLOT_MASK;//
