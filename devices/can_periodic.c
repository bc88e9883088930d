#include "devices/can_periodic.h"

#include <errno.h>
#include <linux/can/bcm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/bcm_watch.h"
#include "devices/can_frame.h"

struct transmission {
    int32_t number; /* 0: a free place */
    int fd;
    uint32_t id; /* CAN id and flags: they stay */
    bool is_fd;
};

struct aw_can_periodics {
    int32_t last_number;
    struct transmission places[AW_CAN_PERIODIC_MAX];
};

static const struct aw_frame *frame_of(const struct aw_can_periodic *argument)
{
    const void *frame = argument->frame;

    return frame;
}

static struct transmission *find(struct aw_can_periodics *periodics,
                                 int32_t number)
{
    for (uint32_t i = 0; periodics && i < AW_CAN_PERIODIC_MAX; i++) {
        if (periodics->places[i].number == number)
            return &periodics->places[i];
    }
    return NULL;
}

/* ---- the kernel's side ---- */

/* Returns a socket of the broadcast manager for one interface, or a negative
 * errno. */
static int open_socket(int index)
{
    struct sockaddr_can address = {.can_family = AF_CAN, .can_ifindex = index};
    int fd = socket(PF_CAN, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, CAN_BCM);

    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int result = -errno;

        close(fd);
        return result;
    }
    return fd;
}

/* Sets it up, or only its frame where `period_ns` is 0: then the kernel keeps
 * its pace. Returns 0 or a negative errno. */
static int set_up(int fd, const struct aw_frame *frame, uint64_t period_ns)
{
    union aw_bcm_message message = {
        .head = {
            .opcode = TX_SETUP,
            .flags = period_ns ? SETTIMER | STARTTIMER : 0,
            .ival2 = aw_bcm_interval(period_ns / 1000),
            .can_id = frame->id,
            .nframes = 1,
        }};
    union aw_can_wire wire;
    int bytes = aw_can_frame_export(frame, &wire);

    if (bytes < 0)
        return bytes;
    if (bytes == CANFD_MTU)
        message.head.flags |= CAN_FD_FRAME;
    memcpy(message.bytes + sizeof(message.head), &wire, (size_t)bytes);
    return send(fd, &message, sizeof(message.head) + (size_t)bytes,
                MSG_NOSIGNAL) < 0
               ? -errno
               : 0;
}

/* Said in so many words, since a child process may hold the socket, too. */
static void end(struct transmission *transmission)
{
    struct bcm_msg_head head = {
        .opcode = TX_DELETE,
        .flags = transmission->is_fd ? CAN_FD_FRAME : 0,
        .can_id = transmission->id,
    };

    (void)send(transmission->fd, &head, sizeof(head), MSG_NOSIGNAL);
    close(transmission->fd);
    *transmission = (struct transmission){0};
}

/* ---- requests ---- */

static bool is_good(const struct aw_frame *frame, uint64_t period_ns)
{
    return frame->kind == AW_KIND_CAN && !(frame->id & AW_CAN_ERROR) &&
           frame->length <= AW_PAYLOAD_FD &&
           period_ns >= AW_CAN_PERIOD_MIN_NS &&
           period_ns <= AW_CAN_PERIOD_MAX_NS;
}

/* A place and a number for one more. NULL if there are too many. */
static struct transmission *reserve(struct aw_can_periodics *periodics)
{
    struct transmission *place = find(periodics, 0);

    if (!place)
        return NULL;
    do {
        periodics->last_number = periodics->last_number == INT32_MAX
                                     ? 1
                                     : periodics->last_number + 1;
    } while (find(periodics, periodics->last_number));
    return place;
}

static int start(struct aw_can_periodics *periodics, int index,
                 const struct aw_can_periodic *argument)
{
    const struct aw_frame *frame = frame_of(argument);
    struct transmission *place;
    int fd, result;

    if (!is_good(frame, argument->period_ns))
        return -EINVAL;
    place = reserve(periodics);
    if (!place)
        return -ENOSPC;
    fd = open_socket(index);
    if (fd < 0)
        return fd;
    result = set_up(fd, frame, argument->period_ns);
    if (result < 0) {
        close(fd);
        return result;
    }
    *place = (struct transmission){
        .number = periodics->last_number,
        .fd = fd,
        .id = frame->id,
        .is_fd = (frame->flags & AW_FRAME_FD) != 0,
    };
    return place->number;
}

static int modify(const struct transmission *transmission,
                  const struct aw_can_periodic *argument)
{
    const struct aw_frame *frame = frame_of(argument);
    bool is_fd = (frame->flags & AW_FRAME_FD) != 0;

    if (!is_good(frame, AW_CAN_PERIOD_MIN_NS) ||
        frame->id != transmission->id || is_fd != transmission->is_fd)
        return -EINVAL;
    return set_up(transmission->fd, frame, 0);
}

int aw_can_periodic_control(struct aw_can_periodics **periodics, int index,
                            bool fd, uint32_t request,
                            const struct aw_can_periodic *argument)
{
    struct transmission *transmission;

    AW_ASSERT_ROLE(READER);
    if (request == AW_CAN_PERIODIC_START) {
        if (!fd && (frame_of(argument)->flags & AW_FRAME_FD))
            return -EOPNOTSUPP;
        if (!*periodics)
            *periodics = calloc(1, sizeof(**periodics));
        return *periodics ? start(*periodics, index, argument) : -ENOMEM;
    }
    transmission =
        argument->number > 0 ? find(*periodics, argument->number) : NULL;
    if (!transmission)
        return -ENOENT;
    if (request == AW_CAN_PERIODIC_MODIFY)
        return modify(transmission, argument);
    if (request != AW_CAN_PERIODIC_STOP)
        return -EINVAL;
    end(transmission);
    return 0;
}

void aw_can_periodics_free(struct aw_can_periodics *periodics)
{
    for (uint32_t i = 0; periodics && i < AW_CAN_PERIODIC_MAX; i++) {
        if (periodics->places[i].number > 0)
            end(&periodics->places[i]);
    }
    free(periodics);
}
