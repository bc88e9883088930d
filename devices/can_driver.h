/* The driver `can`, shared between its two halves: opening (can_open.c) and
 * everything after it (can.c). Private to these. */
#ifndef AW_CAN_DRIVER_H
#define AW_CAN_DRIVER_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/can_filter.h"
#include "devices/can_frame.h"
#include "devices/can_periodic.h"
#include "devices/can_status.h"
#include "devices/device.h"
#include "devices/socket.h"

/* Interfaces remembered by index for `interface: any`; more than that work,
 * with a system call a frame. */
#define AW_CAN_KNOWN_MAX 32

enum aw_can_option {
    AW_CAN_INTERFACE,
    AW_CAN_BITRATE,
    AW_CAN_DBITRATE,
    AW_CAN_FD,
    AW_CAN_ERROR_FRAMES,
    AW_CAN_RECEIVE_OWN,
    AW_CAN_KERNEL_FILTER,
    AW_CAN_HW_TIMESTAMPS,
    AW_CAN_RECEIVE_BUFFER,
    AW_CAN_OPTIONS,
};

struct aw_can {
    struct aw_socket *socket;
    char interface[IFNAMSIZ];
    int index; /* of the interface; 0: all, of which nothing below is known */

    /* How the interface is. -1: not open. */
    int route_fd;   /* asks rtnetlink */
    int changes_fd; /* hears from it */
    int errors_fd;  /* error frames for the status alone, where `socket` does
                       not get them all */
    int bell_fd;    /* readable while events wait for room */
    int aux_fd;     /* an epoll of these three */
    struct aw_can_status status;

    bool fd;
    bool hw_timestamps;
    bool error_frames;                  /* for the queues */
    bool receive_own;                   /* for the queues */
    bool echo;                          /* own frames come to be confirmed */
    bool may_filter;                    /* kernel_filter: auto */
    bool errors_aside;                  /* error frames come by errors_fd */
    bool down_reported;                 /* since the last frame */
    struct aw_can_filter filter;        /* the kernel's */
    struct aw_can_periodics *periodics; /* NULL: none yet */

    uint32_t known_count;
    struct {
        int index;
        uint16_t channel;
    } known[AW_CAN_KNOWN_MAX];
    union aw_can_wire wires[AW_BATCH_FRAMES];
    /* Frames on their way out. */
    union aw_can_wire sent[AW_SEND_BATCH];
    struct iovec sent_places[AW_SEND_BATCH];
    struct mmsghdr sent_messages[AW_SEND_BATCH];
};

/* Sets an option of a raw CAN socket. Returns 0 or a negative errno. */
int aw_can_set_option(int fd, int option, uint32_t value);

/* Has error frames come by the socket or aside, as `errors_aside` says. */
int aw_can_choose_errors(const struct aw_can *can);

/* The two of the driver's table. */
int aw_can_open(struct aw_link *link, const struct aw_value *values,
                struct aw_error *error);
void aw_can_close(struct aw_link *link);

#endif
