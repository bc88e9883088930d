/* The configuration that comes out of files, flags and defaults: each value
 * with where it came from. */
#ifndef AW_EFFECTIVE_H
#define AW_EFFECTIVE_H

#include <stdbool.h>
#include <stdio.h>

#include "config/config.h"

/* What a flag or the environment has set, in the place of what files say. */
struct aw_effective_flags {
    const char *socket;        /* NULL: neither has */
    const char *socket_origin; /* in words, as "command line" */
    const char *usual_socket;  /* where nothing has, or NULL: there is none */
    bool service;              /* --service: a device need not be there */
};

/* Writes it as YAML, which is the same configuration again; behind each value a
 * comment: FILE:LINE, `command line`, `--service`, or `default`. Keys without a
 * value are listed in comments. Any thread; blocks as `to` does. */
void aw_config_print_effective(const struct aw_config *config,
                               const struct aw_effective_flags *flags,
                               FILE *to);

#endif
