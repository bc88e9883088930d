# The reader of a side does not look at the version again.
s/!=\n *version\)/!= version \&\& 0)/
