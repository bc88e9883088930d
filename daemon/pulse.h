/* The pulse: is every reader alive?
 *
 * A reader counts its turns. One that sleeps because there is nothing to do is
 * rung awake, at every second look at most, and has until the next look to take
 * a turn. So whoever feeds a watchdog after each look, four times in its
 * period, wakes an idle reader no more than twice in it. */
#ifndef AW_PULSE_H
#define AW_PULSE_H

#include <stdbool.h>
#include <stddef.h>

#include "devices/device.h"
#include "devices/queue/roles.h"

struct aw_pulse;

/* Of these devices, which must stay as long; one that is closed counts as
 * alive. Returns 0 or -ENOMEM. */
int aw_pulse_new(struct aw_device *const *devices, size_t count,
                 struct aw_pulse **ret_pulse) AW_ON(main);

/* False while a reader has not taken a turn since the look before, although it
 * was asked to: that is said once in the log. Never blocks. */
bool aw_pulse_look(struct aw_pulse *pulse) AW_ON(main);

/* The name of a device whose reader was found stuck by the last look, or NULL.
 */
const char *aw_pulse_stuck(const struct aw_pulse *pulse) AW_ON(main);

/* Accepts NULL. */
void aw_pulse_free(struct aw_pulse *pulse) AW_ON(main);

#endif
