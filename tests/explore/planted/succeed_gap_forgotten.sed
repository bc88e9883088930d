# A moved frame does not tell what was lost before it.
s/pass_gap\(queue, frame\);//
