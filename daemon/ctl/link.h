/* awaitctl's connection to a daemon: one request out, lines of answers in.
 *
 * The program has one thread, and everything here blocks. */
#ifndef AW_CTL_LINK_H
#define AW_CTL_LINK_H

#include <jansson.h>
#include <stdbool.h>

/* Exit statuses, as sysexits.h has them. */
enum aw_ctl_status {
    AW_CTL_OK = 0,
    AW_CTL_REFUSED = 1,      /* the daemon says no */
    AW_CTL_USAGE = 64,       /* the command line */
    AW_CTL_UNAVAILABLE = 69, /* no daemon there, or it has ended */
    AW_CTL_INTERNAL = 70,
};

struct aw_ctl_link {
    int fd;
    char *buffer; /* received, and not yet taken */
    size_t start, length, capacity;
};

/* Connects to `path`; NULL: $AWAITD_SOCKET, or else the default: for others
 * than root their own daemon's, and where there is none the system's. Returns
 * an enum aw_ctl_status, and says on stderr what is wrong. */
int aw_ctl_connect(const char *path, struct aw_ctl_link *ret_link);
void aw_ctl_close(struct aw_ctl_link *link);

/* The next object; NULL, and said on stderr, if the daemon has gone, or talks
 * strangely. The caller's. */
json_t *aw_ctl_receive(struct aw_ctl_link *link);

/* Sends a request, which is used up, and takes its answer; `*ret_result` is the
 * caller's. Returns an enum aw_ctl_status, and says on stderr what is wrong. */
int aw_ctl_ask(struct aw_ctl_link *link, json_t *request, json_t **ret_result);

/* The same for {"command": name}. */
int aw_ctl_ask_for(struct aw_ctl_link *link, const char *name,
                   json_t **ret_result);

#endif
