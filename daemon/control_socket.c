#include "daemon/control_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 256

bool aw_control_default_path(char ret_path[AW_CONTROL_PATH_MAX])
{
    const char *folder = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
    int length;

    if (!folder || folder[0] != '/')
        return false;
    length = snprintf(ret_path, AW_CONTROL_PATH_MAX, "%s/awaitd/control.sock",
                      folder);
    return length < (int)AW_CONTROL_PATH_MAX;
}

static int refuse(const char *path, int code, struct aw_error *error)
{
    return aw_error_set(error, code, "control socket %s: %s", path,
                        code == EADDRINUSE ? "another awaitd listens there"
                                           : strerror(code));
}

static int make_folder_of(const char *path)
{
    char folder[AW_CONTROL_PATH_MAX];
    char *slash;

    snprintf(folder, sizeof(folder), "%s", path);
    slash = strrchr(folder, '/');
    if (!slash || slash == folder)
        return 0;
    *slash = '\0';
    return mkdir(folder, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* Removes a socket that nobody listens on; what is no socket stays. */
static int remove_stale(const struct sockaddr_un *address)
{
    struct stat status;
    int fd, result;

    if (lstat(address->sun_path, &status) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode))
        return -ENOTSOCK;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    result = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0
                 ? -errno
                 : 0;
    close(fd);
    if (result != -ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

static int bind_and_listen(int fd, const struct sockaddr_un *address,
                           bool open_to_all)
{
    /* Nobody can connect before listen(), whatever the mask was. */
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return -errno;
    if (chmod(address->sun_path, open_to_all ? 0666 : 0600) < 0 ||
        listen(fd, BACKLOG) < 0) {
        int result = -errno;

        unlink(address->sun_path);
        return result;
    }
    return 0;
}

int aw_control_listen(const char *path, bool make_folder, bool open_to_all,
                      struct aw_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int result = 0, fd;

    if (strlen(path) >= sizeof(address.sun_path))
        return refuse(path, ENAMETOOLONG, error);
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (make_folder)
        result = make_folder_of(path);
    if (result == 0)
        result = remove_stale(&address);
    if (result < 0)
        return refuse(path, -result, error);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return refuse(path, errno, error);
    result = bind_and_listen(fd, &address, open_to_all);
    if (result < 0) {
        close(fd);
        return refuse(path, -result, error);
    }
    return fd;
}
