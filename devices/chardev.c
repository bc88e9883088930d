#include "devices/chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

int aw_chardev_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int aw_chardev_ioctl(int fd, unsigned long request, void *argument)
{
    int result = ioctl(fd, request, argument);

    return result < 0 ? -errno : result;
}
