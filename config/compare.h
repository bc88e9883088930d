/* Two configurations, the one in force and the one that is wanted: what is the
 * same, and what no reload can change. */
#ifndef AW_COMPARE_H
#define AW_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

/* Do these two say the same of the device: its driver and every value, however
 * written? Their names are not looked at. */
bool aw_compare_devices(const struct aw_device_config *one,
                        const struct aw_device_config *other);

/* Writes the keys whose values differ and that hold for the life of the
 * process, with commas between: "venv, control.socket". Returns how many. */
size_t aw_compare_process(const struct aw_config *running,
                          const struct aw_config *wanted, char *ret_keys,
                          size_t size);

/* Exchanges what holds for the life of the process: `wanted` then says what is
 * in force. */
void aw_compare_keep_process(struct aw_config *wanted,
                             struct aw_config *running);

#endif
