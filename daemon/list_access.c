/* May this user open a node, and who would let them? */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/list.h"

/* A group that may, and that is given to users. */
static void advise_group(const struct stat *status, char *advice, size_t size)
{
    struct group entry, *found = NULL;
    char buffer[4096], number[16];
    const char *name = number;

    snprintf(number, sizeof(number), "%u", status->st_gid);
    if (getgrgid_r(status->st_gid, &entry, buffer, sizeof(buffer), &found) ==
            0 &&
        found)
        name = entry.gr_name;
    snprintf(advice, size,
             "the group %s may: `adduser $USER %s` and log in again, or "
             "SupplementaryGroups=%s in the unit",
             name, name, name);
}

static void advise(const char *node, int code, char *advice, size_t size)
{
    struct stat status;

    if (code == EACCES && stat(node, &status) == 0 && status.st_gid != 0 &&
        (status.st_mode & (S_IRGRP | S_IWGRP)) == (S_IRGRP | S_IWGRP))
        advise_group(&status, advice, size);
    else if (code == EACCES)
        snprintf(advice, size,
                 "only its owner may: a rule of udev with GROUP= and "
                 "MODE=\"0660\", and SupplementaryGroups= in the unit");
    else if (code == ENOENT)
        snprintf(advice, size,
                 "%s is not there: PrivateDevices= of the unit, or no udev",
                 node);
    else
        snprintf(advice, size, "%s: %s; DeviceAllow=%s rw in the unit", node,
                 strerror(code), node);
}

bool aw_list_may_open(const char *node, char *advice, size_t size)
{
    *advice = '\0';
    if (faccessat(AT_FDCWD, node, R_OK | W_OK, AT_EACCESS) == 0)
        return true;
    advise(node, errno, advice, size);
    return false;
}
