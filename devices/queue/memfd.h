/* Shared memory for rings: a sealed-size memfd, mapped.
 *
 * The only file of the leaf that knows of memfd_create and mmap. */
#ifndef AW_MEMFD_H
#define AW_MEMFD_H

#include <stddef.h>

/* Maps `bytes` (rounded up to pages) of fresh, zeroed shared memory. The fd is
 * close-on-exec and can be passed to another process; both belong to the
 * caller. Returns 0 or a negative errno (-ENOMEM, -EMFILE, ...). */
int aw_memfd_map(const char *name, size_t bytes, int *ret_fd, void **ret_memory);

/* Undoes aw_memfd_map(); a NULL `memory` and a negative `fd` are skipped. */
void aw_memfd_unmap(int fd, void *memory, size_t bytes);

#endif
