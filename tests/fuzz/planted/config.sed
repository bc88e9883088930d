# A value with a line end in it makes a reason of two lines.
# Found as: fuzz_config\.c:[0-9]+: does not hold: fuzz_is_sentence
s/\n    flatten\(reason\);//
s/static void flatten/__attribute__((unused)) static void flatten/
