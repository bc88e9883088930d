# The claim is not announced.
s/(static void announce_claim\(struct aw_ring \*ring\)\n\{)/\1 return;/
s/(static void settle_tail\([^)]*\)\n\{)/\1 return;/
