/* Settings: what the command line and the files that it names together make of
 * this run, in the words of those who carry it out. Read once at the start, and
 * again for each reload. */
#ifndef AW_SETTINGS_H
#define AW_SETTINGS_H

#include "config/config.h"
#include "daemon/arguments.h"
#include "daemon/runtime.h"

/* Reads the file and its drop-ins first, so that -d can replace their devices,
 * then adds what the command line says: --service has devices that are missing
 * waited for, unless they say otherwise. Opens no device. The caller frees
 * *ret_config, also on failure. Returns 0 or a negative errno with a sentence.
 * Blocks for as long as reading takes. */
int aw_settings_read(const struct aw_arguments *arguments,
                     struct aw_config **ret_config, struct aw_error *error);

/* The same for a run: checks it all, too (there are scripts, and they can be
 * read). Returns 0, -ENOMEM, or another negative errno with a sentence; then
 * there is nothing to free. */
int aw_settings_load(const struct aw_arguments *arguments,
                     struct aw_config **ret_config, struct aw_error *error);

/* A script, for the host and for the supervisor. It points to the
 * configuration, but for `state_path`: aw_settings_script_deinit(). Returns 0,
 * -EINVAL with a sentence, or -ENOMEM. */
int aw_settings_script(const struct aw_config_script *script,
                       struct aw_host_script *ret_script,
                       struct aw_supervision *ret_supervision,
                       struct aw_error *error);

/* Accepts zeroes. */
void aw_settings_script_deinit(struct aw_host_script *script);

/* The control socket by --socket or $AWAITD_SOCKET, which a file's gives way
 * to, and which of the two it was, in words; or NULL. */
const char *aw_settings_socket(const struct aw_arguments *arguments,
                               const char **ret_origin);

/* The seconds of the configuration, where they are used. */
void aw_settings_times(const struct aw_config *config,
                       struct aw_runtime_config *runtime_config);

#endif
