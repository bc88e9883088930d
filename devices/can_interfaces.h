/* Which CAN interfaces this machine has, for messages. */
#ifndef AW_CAN_INTERFACES_H
#define AW_CAN_INTERFACES_H

#include <stddef.h>

/* Writes the names of the CAN interfaces below `folder` (/sys/class/net),
 * separated by ", ", into `text`; those for which there is no room are left
 * out. Returns how many there are, 0 also if the folder cannot be read. Reads
 * files: any thread that may. */
size_t aw_can_interfaces(const char *folder, char *text, size_t size);

#endif
