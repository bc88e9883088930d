/* Datagrams that the kernel hands over by the dozen (UDP_GRO): what a sender
 * gave away as one (UDP_SEGMENT, as QUIC and media senders do), or the
 * interface has merged, comes in one message, and is taken apart here.
 *
 * The datagrams of a message have one timestamp, and losses before the first.
 * One that is left when a batch is full waits for the next: the socket may have
 * nothing more to tell by then. */
#ifndef AW_UDP_GRO_H
#define AW_UDP_GRO_H

#include "devices/queue/roles.h"
#include "devices/socket.h"

struct aw_udp_gro;

/* Has the kernel merge datagrams on this socket, which is borrowed and read by
 * aw_udp_gro_read() alone from here on. Those longer than `max_payload` are
 * cut. Returns 0, -ENOMEM, or -ENOPROTOOPT on a kernel that cannot. open(). */
int aw_udp_gro_new(struct aw_socket *socket, uint32_t max_payload,
                   struct aw_udp_gro **ret_gro);

/* Accepts NULL. */
void aw_udp_gro_free(struct aw_udp_gro *gro);

/* Fills the batch. `*ret_more`: there are datagrams left that the socket does
 * not tell of. Returns 0 or a negative errno: a pending error of the socket's.
 * Does not block. */
int aw_udp_gro_read(struct aw_udp_gro *gro, struct aw_batch *batch,
                    bool *ret_more) AW_ON(reader);

#endif
