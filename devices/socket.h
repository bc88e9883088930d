/* A datagram socket, read in batches: what `udp` and the drivers of CAN share.
 *
 * Each message comes with the kernel's timestamp (SO_TIMESTAMPNS), if asked for
 * with the hardware's as well (SO_TIMESTAMPING), and with the number of
 * messages that the kernel had dropped when it queued this one (SO_RXQ_OVFL).
 * That number has 32 bits and wraps; here it is kept with 64. It is absent from
 * a message while it is zero, so an absent one says nothing. Drops behind the
 * last message are found by SO_MEMINFO.
 *
 * What a message means is the drivers' business. */
#ifndef AW_SOCKET_H
#define AW_SOCKET_H

#include <linux/can.h>
#include <linux/can/j1939.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#include "devices/device.h"
#include "devices/queue/roles.h"

/* The default of `receive_buffer`. The kernel doubles what it is asked for and
 * charges each message with the memory of its buffer, 768 to 1024 bytes for a
 * CAN frame of any kind: 32,768 frames at least, which is what a CAN bus at
 * 1 Mbit/s can carry in 2 s with frames of no data, and in 4 s with full ones.
 * Nothing is allocated before it is needed. */
#define AW_SOCKET_BUFFER_DEFAULT "16M"
#define AW_SOCKET_FRAME_CHARGE   1024
#define AW_SOCKET_BUFFER_MINIMUM 4096
#define AW_SOCKET_BUFFER_MAXIMUM 1073741823 /* the kernel doubles an int */

/* The option of every driver that reads a socket. */
#define AW_SOCKET_BUFFER_OPTION                                                \
    {                                                                          \
        .name = "receive_buffer", .type = AW_OPTION_INT,                       \
        .fallback = AW_SOCKET_BUFFER_DEFAULT,                                  \
        .minimum = AW_SOCKET_BUFFER_MINIMUM,                                   \
        .maximum = AW_SOCKET_BUFFER_MAXIMUM,                                   \
        .help = "bytes the kernel may hold back while the reader is late",     \
    }

union aw_socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_can can;
};

/* Room for the control messages asked for. */
union aw_socket_control {
    struct cmsghdr header; /* its alignment */
    unsigned char bytes[CMSG_SPACE(sizeof(struct timespec)) +
                        CMSG_SPACE(3 * sizeof(struct timespec)) +
                        CMSG_SPACE(sizeof(uint32_t)) +
                        CMSG_SPACE(sizeof(name_t)) + /* of j1939 */
                        2 * CMSG_SPACE(sizeof(uint8_t))];
};

struct aw_socket {
    int fd;
    int receive_flags;    /* of recvmmsg(); MSG_TRUNC unless a driver whose
                             protocol does not know it takes that away */
    uint32_t kept_frames; /* aw_link.kept_frames */
    uint32_t used;        /* messages that the kernel has written to */
    uint64_t lost;        /* dropped by the kernel before the last message */
    uint64_t realtime_ns; /* both clocks when the batch was read */
    uint64_t monotonic_ns;
    bool gone; /* its interface; what came before is read first */
    struct mmsghdr messages[AW_BATCH_FRAMES];
    struct iovec places[AW_BATCH_FRAMES];
    union aw_socket_address senders[AW_BATCH_FRAMES];
    union aw_socket_control controls[AW_BATCH_FRAMES];
};

/* Makes a non-blocking, close-on-exec socket that delivers timestamps and drop
 * counts, not yet bound. Returns 0, -ENOMEM, or why the kernel refuses. Any
 * thread. */
int aw_socket_new(int domain, int type, int protocol,
                  struct aw_socket **ret_socket);

/* Closes it. Accepts NULL. */
void aw_socket_free(struct aw_socket *socket);

/* Asks for `bytes` of receive buffer, beyond net.core.rmem_max where this
 * process may (CAP_NET_ADMIN). Where the kernel gave less, warns once, for
 * `device`, with the remedy. Returns the bytes it gave, or a negative errno.
 * Any thread. */
int aw_socket_set_buffer(struct aw_socket *socket, const char *device,
                         int bytes);

/* Has messages come with the hardware's timestamp too, where their interface
 * takes one. The slots need AW_HW_STAMP_BYTES more. Returns 0 or a negative
 * errno. Any thread, before the first message. */
int aw_socket_take_hw_timestamps(const struct aw_socket *socket);

/* Where the payload of the `index`-th message of a batch goes. Stays until it
 * is set again. The reader, or open(). */
static inline void aw_socket_place(struct aw_socket *socket, uint32_t index,
                                   void *memory, size_t bytes)
{
    socket->places[index] = (struct iovec){memory, bytes};
}

/* The kernel is to write each message where it stays: behind `head_bytes` in
 * the payload of its slot of `batch`, at most `bytes` of it. */
void aw_socket_place_batch(struct aw_socket *socket,
                           const struct aw_batch *batch, size_t head_bytes,
                           size_t bytes) AW_ON(reader);

/* Receives up to `count` messages into their places. Returns how many, 0 if
 * there are none, or a negative errno: a pending error of the socket's, which
 * is reported once. Does not block. */
int aw_socket_receive(struct aw_socket *socket, uint32_t count) AW_ON(reader);

/* Has it anything to read? An error of the socket's is none. Does not block. */
bool aw_socket_pending(const struct aw_socket *socket);

/* What a driver's read() and aux() end with: `result` is what they have found
 * out, and -ENODEV says that the socket's interface is gone. That is remembered
 * and not said before all that came by it is read, however long queues that
 * block take for it: the kernel tells of the end first, and keeps the data
 * until the socket is closed. Returns 0, -ENODEV or another `result`. Does not
 * block. */
int aw_socket_judge(struct aw_socket *socket, int result) AW_ON(reader);

/* Bytes of the message as it was sent; may be more than its place took. */
static inline uint32_t aw_socket_bytes(const struct aw_socket *socket,
                                       uint32_t index)
{
    return socket->messages[index].msg_len;
}

/* MSG_TRUNC, MSG_DONTROUTE, MSG_CONFIRM, … */
static inline int aw_socket_flags(const struct aw_socket *socket,
                                  uint32_t index)
{
    return socket->messages[index].msg_hdr.msg_flags;
}

static inline const union aw_socket_address *
aw_socket_sender(const struct aw_socket *socket, uint32_t index)
{
    return &socket->senders[index];
}

/* Fills in the frame's clocks, their source (so `length` and `flags` come
 * first) and `lost_before`, and clears what comes with them. Once for each
 * message received, in order. */
void aw_socket_stamp(struct aw_socket *socket, uint32_t index,
                     struct aw_frame *frame) AW_ON(reader);

/* Messages that the kernel has dropped up to now, those in lost_before so far
 * included. */
uint64_t aw_socket_losses(const struct aw_socket *socket) AW_ON(reader);

/* The kernel's counter of 32 bits, continued from what it was at least. */
static inline uint64_t aw_socket_extend(uint64_t before, uint32_t now)
{
    return before + (uint32_t)(now - (uint32_t)before);
}

#endif
