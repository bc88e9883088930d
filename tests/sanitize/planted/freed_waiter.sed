# The next waiter is remembered while one is woken, which may leave meanwhile.
# Found as: heap-use-after-free .* in wake_all\>
s/GetObject \*waiter;\n    int result = 0;\n\n    while \(result == 0 && \(waiter = first_asleep\(self\)\)\) \{/int result = 0;\n\n    for (GetObject *waiter = first_asleep(self); waiter; waiter = waiter->next) {/
