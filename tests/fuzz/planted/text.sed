# A host that is longer than its place.
# Found as: fuzz_text\.c:[0-9]+: does not hold: memchr\(endpoint\.host
s/length >= sizeof\(endpoint\.host\)/length > 80/
