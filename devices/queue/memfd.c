#include "devices/queue/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int aw_memfd_map(const char *name, size_t bytes, int *ret_fd, void **ret_memory)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *memory = MAP_FAILED;
    int result = 0;

    if (fd < 0)
        return -errno;
    /* A fixed size keeps a peer from truncating it under us (SIGBUS), the seal
     * on the seals from making it read-only for whoever maps it next. */
    if (ftruncate(fd, (off_t)bytes) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        result = -errno;
    } else {
        memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED)
            result = -errno;
    }
    if (result < 0) {
        close(fd);
        return result;
    }
    *ret_fd = fd;
    *ret_memory = memory;
    return 0;
}

void aw_memfd_unmap(int fd, void *memory, size_t bytes)
{
    if (memory)
        munmap(memory, bytes);
    if (fd >= 0)
        close(fd);
}
