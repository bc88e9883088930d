# The consumer looks for a fresh frame, and lets the key be queued after that.
s/pop\(latest, entry\);\n( *result = pull\(latest, entry\);)/\1\n        pop(latest, entry);/
