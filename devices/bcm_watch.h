/* What the driver `bcm` watches: identifiers, the bits whose change counts, and
 * how long each may stay away. Written in one line, which the kernel then
 * carries out.
 *
 *     ID[#MASK | ##MASK][:TIMEOUT][/THROTTLE]     separated by spaces
 *
 * ID as candump writes it, three hexadecimal digits or eight; `##`: of FD
 * frames. MASK: bytes in hexadecimal, those left out are 00; `*`: all of them,
 * and the length. Without a mask every frame counts. TIMEOUT and THROTTLE in
 * seconds. Nothing here blocks: any thread. */
#ifndef AW_BCM_WATCH_H
#define AW_BCM_WATCH_H

#include <linux/can/bcm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/queue/error.h"

#define AW_BCM_WATCHES_MAX 256u

/* The kernel's messages: a head, and here one frame at most. */
union aw_bcm_message {
    struct bcm_msg_head head;
    unsigned char bytes[sizeof(struct bcm_msg_head) + CANFD_MTU];
};

struct aw_bcm_watch {
    uint32_t id; /* with AW_CAN_EXTENDED */
    bool fd;
    bool masked; /* a change within `mask` counts; else every frame does */
    bool length; /* one of the length does, too */
    uint8_t mask[CANFD_MAX_DLEN];
    uint64_t timeout_us;  /* 0: none */
    uint64_t throttle_us; /* at most one change in this time; 0: none */
};

/* Parses a line of them. Returns how many there are, at least one, or -EINVAL
 * with a sentence. `ret_watches` has room for AW_BCM_WATCHES_MAX. */
int aw_bcm_watches_parse(const char *text, struct aw_bcm_watch *ret_watches,
                         struct aw_error *error);

/* The request that has the kernel watch. Returns its bytes. */
size_t aw_bcm_watch_export(const struct aw_bcm_watch *watch,
                           union aw_bcm_message *ret_message);

/* `seconds` as the kernel's interval. */
struct bcm_timeval aw_bcm_interval(uint64_t us);

#endif
