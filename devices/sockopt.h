/* setsockopt() with errors as everywhere else: 0 or a negative errno. Any
 * thread; does not block. */
#ifndef AW_SOCKOPT_H
#define AW_SOCKOPT_H

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

static inline int aw_sockopt_set(int fd, int level, int option,
                                 const void *value, size_t bytes)
{
    return setsockopt(fd, level, option, value, (socklen_t)bytes) < 0 ? -errno
                                                                      : 0;
}

static inline int aw_sockopt_set_int(int fd, int level, int option, int value)
{
    return aw_sockopt_set(fd, level, option, &value, sizeof(value));
}

#endif
