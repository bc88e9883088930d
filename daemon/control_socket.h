/* Where the control socket is, and making it. */
#ifndef AW_CONTROL_SOCKET_H
#define AW_CONTROL_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include "devices/queue/error.h"

#define AW_CONTROL_PATH_MAX 108u /* of a struct sockaddr_un, NUL included */

/* The default: /run/awaitd/control.sock for root, else in $XDG_RUNTIME_DIR.
 * false: there is none. awaitctl has the same (daemon/ctl/link.c). */
bool aw_control_default_path(char ret_path[AW_CONTROL_PATH_MAX]);

/* Binds and listens; a socket that a dead process left is replaced, and with
 * `make_folder` its folder made (0755). `open_to_all`: any user may connect,
 * and is judged by its credentials; else its owner alone. Returns the fd,
 * non-blocking and close-on-exec, or a negative errno with a sentence:
 * -EADDRINUSE when somebody listens there. Does not block. */
int aw_control_listen(const char *path, bool make_folder, bool open_to_all,
                      struct aw_error *error);

#endif
