# A frame of one byte more than there is room for.
s/if \(count == room\)/if (count > room)/
