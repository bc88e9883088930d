# A frame that is replaced before it was seen is not counted.
s/if \(middle & FRESH\)\n *latest->replaced\+\+;//
