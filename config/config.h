/* The configuration of a daemon: which devices, which scripts, how to stop.
 *
 * It comes from a YAML file, from the command line, or from both, in which case
 * the command line has the last word. Nothing is opened here: that the file is
 * right is known before the first device is touched. Errors in a file read
 * `FILE:LINE: KEY PATH: reason`. All functions run on one thread. */
#ifndef AW_CONFIG_H
#define AW_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "config/index.h"
#include "devices/device_config.h"
#include "devices/queue/error.h"

#define AW_CONFIG_BYTES_MAX (1024u * 1024u)

#define AW_STOP_GRACE_S   5.0
#define AW_STOP_TIMEOUT_S 10.0
#define AW_STALL_MS       1000.0

#define AW_START_TIMEOUT_S 10.0
#define AW_RELOAD_SETTLE_S 2.0

enum aw_config_restart {
    AW_CONFIG_RESTART_NO,
    AW_CONFIG_RESTART_ON_FAILURE,
    AW_CONFIG_RESTART_ALWAYS,
};

/* When a script is started again, and with what. */
struct aw_config_supervision {
    enum aw_config_restart restart;
    double delay_s, interval_s;
    unsigned limit;
    bool flush;   /* on_restart: without the frames that pend */
    bool persist; /* state: beyond the daemon's end */
    /* A loop that does not come back for so long is told of, and, where
     * stall_kill_s is not 0, is interrupted. 0: never. */
    double stall_ms, stall_kill_s;
};

struct aw_config_script {
    char *name;       /* unique; the file's name without .py by default */
    char *path;       /* of the Python file */
    char **arguments; /* sys.argv[1:], NULL at the end */
    char **paths;     /* more of sys.path, NULL at the end; or NULL */
    struct aw_config_supervision supervision;
    char *origin; /* "FILE:LINE: KEY PATH" of the path, or NULL */
};

struct aw_config {
    struct aw_device_config **devices;
    size_t device_count;
    struct aw_config_script *scripts;
    size_t script_count;
    /* Seconds after a stop's first cancellation: until the second, and until
     * the script is given up. The second is never less than the first. */
    double stop_grace_s, stop_timeout_s;
    /* NULL: not given. Groups are names or numbers, as written. */
    char *control_socket; /* a path, or "none" */
    char *control_read_group, *control_admin_group;
    char *metrics_listen; /* HOST:PORT */
    /* Of a reload: for the new version to come to its first await, and in which
     * an error of it brings the old one back. */
    double start_timeout_s, reload_settle_s;
    char *cwd;                     /* that scripts run in, or NULL */
    char *venv;                    /* a virtual environment, or NULL */
    char **environment;            /* NAME=VALUE, NULL at the end; or NULL */
    double stall_ms, stall_kill_s; /* of scripts that do not say */
    struct aw_index *index; /* where it stands in files; NULL: there is none */
};

/* An empty configuration. Returns 0 or -ENOMEM. */
int aw_config_new(struct aw_config **ret_config);

/* Reads the file `path`, of at most 1 MiB, and over it those in the folder
 * conf.d beside it whose names end in .yaml, in the order of their bytes: see
 * merge.h. Relative paths in a file, of scripts and of devices, are relative to
 * its folder. Blocks for as long as reading takes.
 * Returns 0, -EINVAL for its content, or a negative errno (-ENOENT, -EACCES, …)
 * if it cannot be read; the sentence names the file. */
int aw_config_load(const char *path, struct aw_config **ret_config,
                   struct aw_error *error);

/* Adds a device in its short form; one of the same name is replaced, so the
 * last one wins. Returns 0, what aw_device_config_parse() returns, or -EINVAL
 * when there are too many. */
int aw_config_add_device(struct aw_config *config, const char *short_form,
                         struct aw_error *error);

/* Adds a script with copies of its `arguments` (NULL: none), named like its
 * file; `-2`, `-3`, … is appended to a name that is taken. Returns 0, -EINVAL
 * or -ENOMEM. */
int aw_config_add_script(struct aw_config *config, const char *path,
                         char *const *arguments, struct aw_error *error);

/* Every script is a file that can be read, and every group is known here. Main
 * thread. Returns 0 or a negative errno with a sentence about the first that is
 * not. */
int aw_config_check(const struct aw_config *config, struct aw_error *error);

/* Accepts NULL. */
void aw_config_free(struct aw_config *config);

/* ---- for the loader ---- */

/* Appends a device, whose owner is `config` from here on, also on failure.
 * Returns 0, -EINVAL (there is one of this name, or there are too many) or
 * -ENOMEM. */
int aw_config_put_device(struct aw_config *config,
                         struct aw_device_config *device,
                         struct aw_error *error);

/* Appends a script of copies; `name` NULL: named like its file. Returns 0,
 * -EINVAL (a name that is taken or cannot be one, too many) or -ENOMEM. */
int aw_config_put_script(struct aw_config *config,
                         const struct aw_config_script *script,
                         struct aw_error *error);

#endif
