/* What is there to be a device: `awaitd devices`.
 *
 * Each kind of thing has a file, list_KIND.c, which looks through sysfs and
 * adds an object for each to a JSON array: that is the list, for programs as it
 * is and for people as a table (list_print.c). The keys that every object has
 * are `kind`, `name`, `summary` (a line for people), `may_open`, `advice` (who
 * lets this user, or null) and `device` (the short form for -d, or null).
 *
 * All functions run on the main thread before any device is opened, and block
 * for as long as sysfs takes. They return 0 or -ENOMEM; what cannot be read is
 * left out. */
#ifndef AW_LIST_H
#define AW_LIST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "devices/can_netlink.h"

/* Where to look. */
struct aw_list_root {
    const char *path; /* "" is this machine; else a folder with `sys`, `dev` */
    /* ioctl(), or what a test has in its place. */
    int (*control)(int fd, unsigned long request, void *argument);
    /* What rtnetlink says of a CAN interface: 0, or a negative errno. NULL:
     * there is no kernel to ask, as where the root is a folder. */
    int (*ask_can)(const char *name, struct aw_can_facts *ret);
};

int aw_list_can(const struct aw_list_root *root, json_t *list);
int aw_list_net(const struct aw_list_root *root, json_t *list);
int aw_list_spi(const struct aw_list_root *root, json_t *list);
int aw_list_gpio(const struct aw_list_root *root, json_t *list);

/* The table. */
void aw_list_print(const json_t *list, FILE *to);

/* `awaitd devices`: an exit status. `root` NULL: this machine. */
int aw_list_run(const char *root, bool json);

/* ---- for those files: list_object.c, list_access.c and list_sysfs.c ---- */

/* What an object begins with. */
struct aw_listed {
    const char *kind, *name, *summary;
    bool may_open;
    const char *advice; /* NULL: none is needed, or known */
    const char *driver; /* of `device`; NULL, or one that this awaitd does not
                           have: no device */
    const char *main;   /* what follows the colon; NULL: the name */
};

/* Adds an object and lends it to the caller, for further keys. */
int aw_list_add(json_t *list, const struct aw_listed *listed,
                json_t **ret_object);

/* May this user open the node for reading and writing? If not, `advice` says
 * who lets them. */
bool aw_list_may_open(const char *node, char *advice, size_t size);

/* Calls `visit` for each entry of a folder below the root, in order of their
 * names (numbers by value), until it fails. */
int aw_list_each(const struct aw_list_root *root, const char *folder,
                 int (*visit)(const struct aw_list_root *root, const char *name,
                              json_t *list),
                 json_t *list);

/* The first line of a file below the root; "" if it cannot be read. */
__attribute__((format(printf, 4, 5))) void
aw_list_read(const struct aw_list_root *root, char *text, size_t size,
             const char *format, ...);

/* The last part of what a symbolic link below the root leads to, or "". */
__attribute__((format(printf, 4, 5))) void
aw_list_link(const struct aw_list_root *root, char *text, size_t size,
             const char *format, ...);

/* Appends to a summary, with a comma if there is something before it. */
__attribute__((format(printf, 3, 4))) void
aw_list_say(char *summary, size_t size, const char *format, ...);

#define AW_LIST_SUMMARY 256

#endif
