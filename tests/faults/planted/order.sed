# What cannot be handed over is not freed.
# Found as: at hand_over .*; leak of new_send .* aw_control_send .*
s/    \} else \{\n        free\(send\);\n    \}/    }/
