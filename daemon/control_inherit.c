/* A control socket that the service manager has made and passed to us. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/control_internal.h"
#include "daemon/control_socket.h"
#include "devices/queue/log.h"

/* Where it is, for who asks; "" for one without a path. */
static void note_path(struct aw_control *control, int fd)
{
    struct sockaddr_un address = {0};
    socklen_t length = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
        address.sun_family == AF_UNIX && address.sun_path[0] == '/')
        snprintf(control->path, sizeof(control->path), "%.*s",
                 (int)sizeof(address.sun_path), address.sun_path);
}

/* Who made the socket writable for a group (SocketGroup=) has let it in. An id
 * that a user namespace does not map stands for many groups. */
static void admit_group(struct aw_control *control)
{
    const gid_t overflow = 65534;
    struct stat status;

    if (control->admin_gid >= 0 || control->path[0] == '\0' ||
        stat(control->path, &status) < 0)
        return;
    if ((status.st_mode & S_IWGRP) && !(status.st_mode & S_IWOTH) &&
        status.st_gid != 0 && status.st_gid != overflow)
        control->admin_gid = (int)status.st_gid;
}

static bool is_ours(int fd)
{
    return sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) > 0;
}

bool aw_control_inherit(struct aw_control *control)
{
    int count = sd_listen_fds(1);

    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; fd++) {
        if (control->listener < 0 && is_ours(fd)) {
            control->listener = fd;
            continue;
        }
        aw_log(AW_LOG_WARNING,
               "a descriptor that was passed is no control socket, or the "
               "second one: closed");
        close(fd);
    }
    if (control->listener < 0)
        return false;
    control->inherited = true;
    /* The accepting ends by EAGAIN. */
    if (fcntl(control->listener, F_SETFL,
              fcntl(control->listener, F_GETFL) | O_NONBLOCK) < 0)
        aw_log(AW_LOG_WARNING, "control socket: %s", strerror(errno));
    note_path(control, control->listener);
    admit_group(control);
    return true;
}
