# The version is raised before the fields are there.
s/(    _Atomic uint64_t \*copy = [^;]*;)/\1 atomic_store_explicit(\&side->version, next, memory_order_release);/
