# The claim is announced once the frames are taken.
s/announce_claim\(ring\);\n/;/
