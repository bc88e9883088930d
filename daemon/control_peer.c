/* Who is at the other end, as the kernel says. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/control_internal.h"

/* More groups than that nobody is in whose membership matters here. */
#define GROUPS_MAX 1024

static bool has_group(const gid_t *groups, size_t count, int gid)
{
    for (size_t i = 0; gid >= 0 && i < count; i++)
        if (groups[i] == (gid_t)gid)
            return true;
    return false;
}

/* The peer's groups when it connected, its own one first. */
static size_t groups_of(int fd, gid_t own, gid_t groups[GROUPS_MAX])
{
    socklen_t bytes = (GROUPS_MAX - 1) * sizeof(*groups);

    groups[0] = own;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups + 1, &bytes) < 0)
        return 1;
    return 1 + bytes / sizeof(*groups);
}

enum aw_control_right aw_control_peer_right(const struct aw_control *control,
                                            int fd, int *ret_pid, int *ret_uid)
{
    gid_t groups[GROUPS_MAX];
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t bytes = sizeof(peer);
    size_t count;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
        return AW_CONTROL_NOTHING;
    *ret_pid = peer.pid;
    *ret_uid = (int)peer.uid;
    if (peer.uid == 0 || peer.uid == geteuid())
        return AW_CONTROL_ADMIN;
    count = groups_of(fd, peer.gid, groups);
    if (has_group(groups, count, control->admin_gid))
        return AW_CONTROL_ADMIN;
    if (has_group(groups, count, control->read_gid))
        return AW_CONTROL_READ;
    return AW_CONTROL_NOTHING;
}
