# What was lost behind the last frame nobody tells.
s/pass_last_gap\(queue, old\);//
