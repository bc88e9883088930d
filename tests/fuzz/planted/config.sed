# A value with a line end in it makes a reason of two lines.
s/\n    flatten\(reason\);//
s/static void flatten/__attribute__((unused)) static void flatten/
