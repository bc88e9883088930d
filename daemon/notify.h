/* What the service manager is told: sd_notify(3)'s protocol.
 *
 * Not by libsystemd's sd_notify(): that reads the environment each time, which
 * a script may be changing on another thread, and waits while the manager's
 * queue is full. Here the address is taken once, before there are threads, and
 * a message that cannot be had at once is refused: main never waits. */
#ifndef AW_NOTIFY_H
#define AW_NOTIFY_H

#include "devices/queue/error.h"

/* Connects to $NOTIFY_SOCKET and takes it out of the environment, so that no
 * child of a script speaks in our name. Before there are other threads. Returns
 * 0, with a fd that is the caller's to close(), or -1 if nobody wants to be
 * told; or a negative errno with a sentence. */
int aw_notify_connect(int *ret_fd, struct aw_error *error);

/* Sends lines of KEY=VALUE. Returns 0, -EAGAIN (nothing was sent: the manager
 * has not read the last ones), or another negative errno. Never blocks. Any
 * thread. */
int aw_notify_send(int fd, const char *lines);

#endif
