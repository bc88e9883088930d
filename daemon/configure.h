/* From the command line and the files it names to a configuration. */
#ifndef AW_CONFIGURE_H
#define AW_CONFIGURE_H

#include "config/config.h"
#include "daemon/arguments.h"

/* The file first, so that -d can replace its devices. Opens nothing. The caller
 * frees *ret_config, also on failure. Returns 0 or a negative errno with a
 * sentence. */
int aw_configure(const struct aw_arguments *arguments,
                 struct aw_config **ret_config, struct aw_error *error);

/* The control socket by --socket or $AWAITD_SOCKET, which a file's gives way
 * to, and which of the two it was, in words; or NULL. */
const char *aw_configure_socket(const struct aw_arguments *arguments,
                                const char **ret_origin);

#endif
