#include "daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int refuse(const char *path, int code, struct aw_error *error)
{
    return aw_error_set(error, code, "cannot tell $NOTIFY_SOCKET %s: %s", path,
                        strerror(code));
}

/* A path, or, with an @, a name in the abstract namespace; 0: neither. */
static socklen_t address_of(const char *path, struct sockaddr_un *ret_address)
{
    size_t length = strlen(path);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if ((path[0] != '/' && path[0] != '@') || length < 2 ||
        length >= sizeof(address.sun_path))
        return 0;
    memcpy(address.sun_path, path, length);
    *ret_address = address;
    if (path[0] == '/')
        return sizeof(address);
    ret_address->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

static int connect_to(const char *path, struct aw_error *error)
{
    struct sockaddr_un address;
    socklen_t length = address_of(path, &address);
    int fd;

    if (length == 0)
        return refuse(path, EINVAL, error);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return refuse(path, errno, error);
    if (connect(fd, (const struct sockaddr *)&address, length) < 0) {
        int code = errno;

        close(fd);
        return refuse(path, code, error);
    }
    return fd;
}

int aw_notify_connect(int *ret_fd, struct aw_error *error)
{
    const char *path = getenv("NOTIFY_SOCKET");
    int fd;

    if (!path || !path[0]) {
        *ret_fd = -1;
        return 0;
    }
    fd = connect_to(path, error);
    unsetenv("NOTIFY_SOCKET");
    if (fd < 0)
        return fd;
    *ret_fd = fd;
    return 0;
}

int aw_notify_send(int fd, const char *lines)
{
    return send(fd, lines, strlen(lines), MSG_NOSIGNAL) < 0 ? -errno : 0;
}
