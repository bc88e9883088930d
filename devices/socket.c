#include "devices/socket.h"

#include <errno.h>
#include <linux/net_tstamp.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/queue/clock.h"
#include "devices/queue/log.h"
#include "devices/sockopt.h"

static int open_socket(int domain, int type, int protocol)
{
    int fd = socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    int result;

    if (fd < 0)
        return -errno;
    result = aw_sockopt_set_int(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    if (result == 0)
        result = aw_sockopt_set_int(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
    if (result < 0) {
        close(fd);
        return result;
    }
    return fd;
}

int aw_socket_new(int domain, int type, int protocol,
                  struct aw_socket **ret_socket)
{
    struct aw_socket *made = calloc(1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    made->fd = open_socket(domain, type, protocol);
    if (made->fd < 0) {
        int result = made->fd;

        free(made);
        return result;
    }
    made->used = AW_BATCH_FRAMES;
    /* MSG_TRUNC: report the length sent, not the length that fitted. */
    made->receive_flags = MSG_TRUNC;
    for (uint32_t i = 0; i < AW_BATCH_FRAMES; i++) {
        struct msghdr *header = &made->messages[i].msg_hdr;

        header->msg_name = &made->senders[i];
        header->msg_iov = &made->places[i];
        header->msg_iovlen = 1;
        header->msg_control = &made->controls[i];
    }
    *ret_socket = made;
    return 0;
}

void aw_socket_free(struct aw_socket *socket)
{
    if (!socket)
        return;
    close(socket->fd);
    free(socket);
}

int aw_socket_set_buffer(struct aw_socket *socket, const char *device,
                         int bytes)
{
    int given;
    socklen_t length = sizeof(given);
    int result =
        aw_sockopt_set_int(socket->fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes);

    if (result < 0)
        result = aw_sockopt_set_int(socket->fd, SOL_SOCKET, SO_RCVBUF, bytes);
    if (result < 0)
        return result;
    if (getsockopt(socket->fd, SOL_SOCKET, SO_RCVBUF, &given, &length) < 0)
        return -errno;
    given /= 2; /* socket(7): what it tells is doubled */
    /* That half of it which may still be charged for frames read is not counted
     * on. */
    socket->kept_frames = (uint32_t)given / AW_SOCKET_FRAME_CHARGE;
    if (given < bytes)
        aw_log(AW_LOG_WARNING,
               "device %s: the kernel gave %d of %d bytes of receive buffer, "
               "so a burst may be lost: raise net.core.rmem_max as "
               "/usr/lib/sysctl.d/50-awaitd.conf does "
               "(systemd/awaitd-sysctl.conf in the sources; load it with "
               "sysctl -p FILE), or set receive_buffer lower",
               device, given, bytes);
    return given;
}

int aw_socket_take_hw_timestamps(const struct aw_socket *socket)
{
    int which = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;

    return aw_sockopt_set_int(socket->fd, SOL_SOCKET, SO_TIMESTAMPING, which);
}

void aw_socket_place_batch(struct aw_socket *socket,
                           const struct aw_batch *batch, size_t head_bytes,
                           size_t bytes)
{
    AW_ASSERT_ROLE(READER);
    for (uint32_t i = 0; i < batch->limit; i++) {
        void *slot = batch->slots + (size_t)i * batch->slot_bytes;
        struct aw_frame *frame = slot;

        aw_socket_place(socket, i, frame->payload + head_bytes, bytes);
    }
}

/* The middle of two readings of one clock is the moment of the other's. */
static void read_clocks(struct aw_socket *socket)
{
    uint64_t before_ns = aw_clock_monotonic_ns();

    socket->realtime_ns = aw_clock_realtime_ns();
    socket->monotonic_ns =
        before_ns + (aw_clock_monotonic_ns() - before_ns) / 2;
}

/* The kernel has overwritten these with what the last batch needed; the others
 * are as they were. */
static void renew_headers(struct aw_socket *socket)
{
    for (uint32_t i = 0; i < socket->used; i++) {
        struct msghdr *header = &socket->messages[i].msg_hdr;

        header->msg_namelen = sizeof(socket->senders[i]);
        header->msg_controllen = sizeof(socket->controls[i]);
    }
}

int aw_socket_receive(struct aw_socket *socket, uint32_t count)
{
    int received;

    AW_ASSERT_ROLE(READER);
    renew_headers(socket);
    received = recvmmsg(socket->fd, socket->messages, count,
                        MSG_DONTWAIT | socket->receive_flags, NULL);
    if (received < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    socket->used = (uint32_t)received;
    read_clocks(socket);
    return received;
}

bool aw_socket_pending(const struct aw_socket *socket)
{
    struct pollfd rest = {.fd = socket->fd, .events = POLLIN};

    /* Not by recv(): that would take an error off the socket, too. */
    return poll(&rest, 1, 0) == 1 && (rest.revents & POLLIN);
}

int aw_socket_judge(struct aw_socket *socket, int result)
{
    AW_ASSERT_ROLE(READER);
    if (result == -ENODEV)
        socket->gone = true;
    else if (result < 0)
        return result;
    return socket->gone && !aw_socket_pending(socket) ? -ENODEV : 0;
}

static uint64_t in_ns(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * AW_NS_PER_S + (uint64_t)time->tv_nsec;
}

static void stamp_clocks(const struct aw_socket *socket, uint64_t stamp_ns,
                         struct aw_frame *frame)
{
    uint64_t age_ns = socket->realtime_ns - stamp_ns;

    frame->timestamp_ns = stamp_ns;
    aw_frame_set_stamp(frame, AW_STAMP_KERNEL);
    /* A stamp ahead of the clock, or older than the machine is up, was taken
     * before the clock was set: the age is unknown, and the time of the batch
     * stays. */
    if (stamp_ns < socket->realtime_ns && age_ns < socket->monotonic_ns)
        frame->monotonic_ns = socket->monotonic_ns - age_ns;
}

static void stamp_losses(struct aw_socket *socket, uint32_t dropped,
                         struct aw_frame *frame)
{
    uint64_t lost = aw_socket_extend(socket->lost, dropped);

    frame->lost_before = (uint32_t)(lost - socket->lost);
    socket->lost = lost;
}

static void read_control(struct aw_socket *socket,
                         const struct cmsghdr *control, struct aw_frame *frame)
{
    struct timespec stamps[3];
    uint32_t dropped;

    switch (control->cmsg_type) {
    case SCM_TIMESTAMPNS:
        memcpy(stamps, CMSG_DATA(control), sizeof(stamps[0]));
        stamp_clocks(socket, in_ns(&stamps[0]), frame);
        break;
    case SCM_TIMESTAMPING:
        /* The kernel's timestamping.rst: the third is the raw hardware's. */
        memcpy(stamps, CMSG_DATA(control), sizeof(stamps));
        if (in_ns(&stamps[2]) != 0)
            aw_frame_set_hw_timestamp(frame, in_ns(&stamps[2]));
        break;
    case SO_RXQ_OVFL:
        memcpy(&dropped, CMSG_DATA(control), sizeof(dropped));
        stamp_losses(socket, dropped, frame);
        break;
    default:
        break;
    }
}

void aw_socket_stamp(struct aw_socket *socket, uint32_t index,
                     struct aw_frame *frame)
{
    struct msghdr *header = &socket->messages[index].msg_hdr;
    struct cmsghdr *control;

    frame->timestamp_ns = socket->realtime_ns;
    frame->monotonic_ns = socket->monotonic_ns;
    aw_frame_set_stamp(frame, AW_STAMP_OWN);
    frame->lost_before = 0;
    frame->lost_cause = AW_LOSS_NONE;
    for (control = CMSG_FIRSTHDR(header); control;
         control = CMSG_NXTHDR(header, control)) {
        if (control->cmsg_level == SOL_SOCKET)
            read_control(socket, control, frame);
    }
}

uint64_t aw_socket_losses(const struct aw_socket *socket)
{
    uint32_t memory[SK_MEMINFO_VARS];
    socklen_t length = sizeof(memory);

    AW_ASSERT_ROLE(READER);
    if (getsockopt(socket->fd, SOL_SOCKET, SO_MEMINFO, memory, &length) < 0)
        return socket->lost;
    return aw_socket_extend(socket->lost, memory[SK_MEMINFO_DROPS]);
}
