# The reader looks at the armed word before it publishes.
s/(pushed = publish_frames\(queue\);.*else if \()pushed \|\|/announce(queue);\n    \10 \&\&/
