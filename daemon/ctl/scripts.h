/* The scripts' table, of `scripts` and of `top`. */
#ifndef AW_CTL_SCRIPTS_H
#define AW_CTL_SCRIPTS_H

#include <jansson.h>
#include <stdio.h>

/* Writes the list of `scripts`; with the share of time that each was busy since
 * `then` was taken, `seconds` ago, if that is not NULL. `width` as for
 * aw_ctl_table_print(). */
void aw_ctl_scripts_table(const json_t *list, const json_t *then,
                          double seconds, int width, FILE *to);

#endif
