/* The pulse: is every reader alive?
 *
 * A reader counts its turns. One that sleeps because there is nothing to do is
 * rung awake, at every second look at most, and has until the next look to take
 * a turn. So whoever feeds a watchdog after each look, four times in its
 * period, wakes an idle reader no more than twice in it.
 *
 * A reload of the configuration opens and closes devices: each look follows. */
#ifndef AW_PULSE_H
#define AW_PULSE_H

#include <stdbool.h>

#include "daemon/device_table.h"
#include "devices/queue/roles.h"

struct aw_pulse;

/* Of the devices that are in the table at each look, those that leave too; one
 * that is closed counts as alive. The table must stay. Returns 0 or -ENOMEM. */
int aw_pulse_new(const struct aw_device_table *table,
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
