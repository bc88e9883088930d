/* Which CAN interface is meant by `interface:`.
 *
 * A name or alternative name, or an adapter by what udev names it by: its
 * serial number, or the port it is plugged into, since the names of USB
 * adapters depend on which one was found first. Looked up anew each time. */
#ifndef AW_CAN_FIND_H
#define AW_CAN_FIND_H

#include <net/if.h>
#include <stddef.h>

#include "devices/can_netlink.h"
#include "devices/queue/error.h"

/* Where interfaces and what udev knows of them are looked up: /sys/class/net
 * and /run/udev/data but for tests. */
struct aw_can_places {
    const char *interfaces;
    const char *udev;
};

extern const struct aw_can_places aw_can_places;

/* Can `text` be an interface: a name, `serial=…`, `path=…`, or any? Returns 0
 * or -EINVAL with a sentence. Any thread. */
int aw_can_find_check(const char *text, struct aw_error *error);

/* Finds the interface that `text` names: a name is taken as it is. `serial=`
 * is followed by the adapter's serial number, `path=` by udev's ID_PATH or the
 * end of the device's path in sysfs; behind either, `/N` is the channel of an
 * adapter with several. Returns 0, -ENODEV (none, or none that it would be
 * alone) with a sentence, or -ENOMEM. Reads files: any thread that may. */
int aw_can_find(const struct aw_can_places *places, const char *text,
                char ret_name[AW_CAN_NAME_BYTES], struct aw_error *error);

/* Finds it as above, and asks the kernel about it by `route`, a socket as
 * aw_can_route_ask() wants it. Returns 0 or a negative errno with a sentence
 * that names `device`; -ENODEV where there is none, or it is not of CAN. */
int aw_can_find_facts(int route, const char *device, const char *text,
                      struct aw_can_facts *ret_facts, struct aw_error *error);

/* Says that `interface` is not there, and what is. Returns -ENODEV. */
int aw_can_find_missing(const char *device, const char *interface,
                        struct aw_error *error);

/* The serial number of the adapter of interface `name`, or "". Returns its
 * length. Reads files. */
size_t aw_can_find_serial(const struct aw_can_places *places, const char *name,
                          char *text, size_t size);

#endif
