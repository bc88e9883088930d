/* Where and how urgently a reader runs: the options `priority` and `cpus`. */
#ifndef AW_SCHEDULE_H
#define AW_SCHEDULE_H

#include <pthread.h>
#include <sched.h>

#include "devices/device_config.h"

/* Parses a list such as "0,2-3". Returns 0 or -EINVAL. */
int aw_schedule_parse_cpus(const char *text, cpu_set_t *ret_cpus);

/* Applies both to `thread`. What the kernel refuses costs one warning with the
 * remedy and is otherwise done without. */
void aw_schedule_apply(pthread_t thread, const struct aw_device_config *config);

#endif
