# Only the first frame of an empty queue is announced.
s/else if \(pushed \|\|/else if ((pushed \&\& used(queue) <= 1) ||/
