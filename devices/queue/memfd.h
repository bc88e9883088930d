/* Shared memory for rings: a sealed-size memfd, mapped.
 *
 * The only file of the leaf that knows of memfd_create and mmap. */
#ifndef AW_MEMFD_H
#define AW_MEMFD_H

#include <stddef.h>

/* Maps `bytes` (at least one) of fresh, zeroed shared memory, called `name` (at
 * most 249 bytes) in /proc. The fd is close-on-exec and can be passed to
 * another process, which can neither resize it nor add seals; fd and mapping
 * belong to the caller. Returns 0 or a negative errno (-ENOMEM, -EMFILE, ...).
 * Any thread. */
int aw_memfd_map(const char *name, size_t bytes, int *ret_fd,
                 void **ret_memory);

/* Undoes aw_memfd_map(), with the same `bytes`; a NULL `memory` and a negative
 * `fd` are skipped. */
void aw_memfd_unmap(int fd, void *memory, size_t bytes);

#endif
