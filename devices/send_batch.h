/* Frames handed to the kernel with one call (sendmmsg): what drivers of
 * datagram sockets share for their send_many(). */
#ifndef AW_SEND_BATCH_H
#define AW_SEND_BATCH_H

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#include "devices/device.h"

/* In a driver's state, zeros at first. */
struct aw_send_batch {
    struct mmsghdr messages[AW_SEND_BATCH];
    struct iovec places[AW_SEND_BATCH];
    struct sockaddr_storage addresses[AW_SEND_BATCH];
};

/* Room for the `index`-th frame's destination, to be filled before
 * aw_send_batch_put(). */
static inline struct sockaddr_storage *
aw_send_batch_address(struct aw_send_batch *batch, uint32_t index)
{
    return &batch->addresses[index];
}

/* Puts the `index`-th frame in: `bytes` of `memory`, which stay the sender's,
 * for that address, or where `address_bytes` is 0 for the socket's own. The
 * reader. */
void aw_send_batch_put(struct aw_send_batch *batch, uint32_t index,
                       const void *memory, size_t bytes,
                       socklen_t address_bytes);

/* Sends the first `count` frames, at least one. Returns how many the kernel has
 * taken, at least one, or the negative errno that it has for the first. An
 * error that was pending on the socket is of an earlier frame, and no reason to
 * fail this one. Does not block. The reader. */
int aw_send_batch_flush(struct aw_send_batch *batch, int fd, uint32_t count);

#endif
