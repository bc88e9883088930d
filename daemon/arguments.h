/* The command line, taken apart but not yet understood: which command, which
 * files, which devices in their short form. What they mean is config/'s matter.
 */
#ifndef AW_ARGUMENTS_H
#define AW_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "devices/queue/error.h"

enum aw_command {
    AW_COMMAND_HELP,
    AW_COMMAND_HELP_RUN,
    AW_COMMAND_HELP_DEVICES,
    AW_COMMAND_VERSION,
    AW_COMMAND_CHECK,
    AW_COMMAND_DEVICES,
    AW_COMMAND_RUN,
    AW_COMMAND_PRINT, /* run --print-effective */
};

/* All strings belong to argv. */
struct aw_arguments {
    enum aw_command command;
    const char *config_path; /* run -c FILE, check FILE; or NULL */
    const char *driver_path; /* help devices FILE.so; or NULL */
    const char **devices;    /* run -d, in order */
    size_t device_count;
    const char **scripts; /* run -s, in order */
    size_t script_count;
    char **script;           /* script.py and what follows it, or NULL */
    const char *socket_path; /* --socket; "none": none; or NULL */
    const char *stats_path;  /* --stats-json; "-" for stdout; or NULL */
    const char *root_path;   /* devices --root DIR; or NULL */
    bool json;               /* devices --json */
    bool print_effective;    /* check --print-effective */
    bool quiet;
    bool watch; /* --watch */
    bool fail_on_drop;
    bool service;     /* --service: nobody sits in front of it; started */
    const char *unit; /* by this unit, or NULL */
};

/* Returns 0, -EINVAL with a sentence, or -ENOMEM. One thread at a time: getopt
 * keeps its place in globals. */
int aw_arguments_parse(int argc, char **argv,
                       struct aw_arguments *ret_arguments,
                       struct aw_error *error);

/* Accepts zeroes. */
void aw_arguments_deinit(struct aw_arguments *arguments);

#endif
