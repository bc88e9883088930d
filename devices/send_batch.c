#include "devices/send_batch.h"

#include <errno.h>
#include <stdbool.h>

void aw_send_batch_put(struct aw_send_batch *batch, uint32_t index,
                       const void *memory, size_t bytes,
                       socklen_t address_bytes)
{
    struct iovec *place = &batch->places[index];

    /* The kernel only reads it. */
    *place = (struct iovec){(void *)memory, bytes};
    batch->messages[index].msg_hdr = (struct msghdr){
        .msg_name = address_bytes ? &batch->addresses[index] : NULL,
        .msg_namelen = address_bytes,
        .msg_iov = place,
        .msg_iovlen = 1,
    };
}

int aw_send_batch_flush(struct aw_send_batch *batch, int fd, uint32_t count)
{
    int result =
        sendmmsg(fd, batch->messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);

    /* A pending error is reported once, in place of sending anything. */
    if (result < 0 && errno != EAGAIN && errno != ENOBUFS)
        result =
            sendmmsg(fd, batch->messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    return result < 0 ? -errno : result;
}
