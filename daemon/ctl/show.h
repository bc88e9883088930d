/* What a daemon answers, for people. */
#ifndef AW_CTL_SHOW_H
#define AW_CTL_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Each prints the result of the command of its name on stdout. */
void aw_ctl_show_status(const json_t *result);
void aw_ctl_show_devices(const json_t *result);
void aw_ctl_show_queues(const json_t *result);
void aw_ctl_show_scripts(const json_t *result);
void aw_ctl_show_metrics(const json_t *result);

/* The line of a status that says the most, in 80 columns. */
void aw_ctl_show_head(const json_t *result, FILE *to);

/* A member of an object, by a path of keys with dots between them: "" or 0 if
 * it is not there. */
const char *aw_ctl_text(const json_t *object, const char *path);
uint64_t aw_ctl_count(const json_t *object, const char *path);

#endif
