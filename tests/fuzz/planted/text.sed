# A host that is longer than its place.
s/length >= sizeof\(endpoint\.host\)/length > 80/
