# What cannot be handed over is not freed.
s/    \} else \{\n        free\(send\);\n    \}/    }/
