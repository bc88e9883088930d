/* The live view: rates, depths, losses, once an interval. */
#ifndef AW_CTL_TOP_H
#define AW_CTL_TOP_H

#include "daemon/ctl/link.h"

/* Draws until the daemon ends, or `rounds` times (0: for ever), `interval_s`
 * apart. On a terminal each picture replaces the one before. Returns an enum
 * aw_ctl_status. */
int aw_ctl_top(struct aw_ctl_link *link, bool json, unsigned long rounds,
               double interval_s);

#endif
