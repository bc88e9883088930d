/* A network namespace for one test program, with a TAP interface that can be
 * taken down, and that is deleted when its descriptor is closed. */
#ifndef AW_TEST_NETWORK_H
#define AW_TEST_NETWORK_H

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Puts this process into a namespace of its own; false where that is not
 * permitted. */
static inline bool network_enter(void)
{
    if (unshare(CLONE_NEWNET) == 0)
        return true;
    fputs("SKIPPED: no network namespace for this test: run it as root\n",
          stderr);
    return false;
}

/* Returns a descriptor: whoever reads it is the other end of the cable. */
static inline int network_tap(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static inline bool network_set_up(const char *name, bool up)
{
    struct ifreq request = {.ifr_flags = (short)(up ? IFF_UP : 0)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool done;

    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    done = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    if (fd >= 0)
        close(fd);
    return done;
}

#endif
