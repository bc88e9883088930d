/* What goes on: frames, and the log. */
#ifndef AW_CTL_FOLLOW_H
#define AW_CTL_FOLLOW_H

#include "daemon/ctl/link.h"

/* `what` is NAME[,ID:MASK]... as candump takes it. Prints frames until the
 * device ends, or `count` have come (0: all). Returns an enum aw_ctl_status. */
int aw_ctl_dump(struct aw_ctl_link *link, const char *what, bool json,
                unsigned long count);

/* The last `count` lines of the log, and with `follow` those to come. */
int aw_ctl_log(struct aw_ctl_link *link, bool json, bool follow,
               unsigned long count);

#endif
