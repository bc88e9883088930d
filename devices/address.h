/* Internet addresses: as the user writes them, as the kernel takes them, and as
 * a frame carries them (struct aw_address).
 *
 * Names are looked up in /etc/hosts alone, so that nothing here waits for a
 * network that may not be up yet. */
#ifndef AW_ADDRESS_H
#define AW_ADDRESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "devices/queue/error.h"
#include "devices/queue/frame.h"

/* Room for any address as text: "[v6%interface]:port" and the NUL. */
#define AW_ADDRESS_TEXT 80u

/* HOST:PORT or [HOST]:PORT, taken apart. */
struct aw_endpoint {
    char host[64];
    uint16_t port;
};

/* Takes `text` apart without looking anything up. Returns 0, or -EINVAL with a
 * sentence. Any thread. */
int aw_endpoint_parse(const char *text, struct aw_endpoint *ret_endpoint,
                      struct aw_error *error);

/* The address of a numeric host or of a name in /etc/hosts ("localhost" works
 * without). Returns its length, or -ENOENT or -EINVAL if there is none. Reads a
 * file: any thread that may. */
int aw_endpoint_resolve(const struct aw_endpoint *endpoint,
                        struct sockaddr_storage *ret_address);

/* The address of a numeric host without port. Returns its length, or -EINVAL.
 * Any thread; does not block. */
int aw_address_parse(const char *host, struct sockaddr_storage *ret_address);

/* "127.0.0.1:5005" or "[::1]:5005". Any thread. */
void aw_address_format(const struct sockaddr *address,
                       char text[AW_ADDRESS_TEXT]);

/* What a frame carries for `address`; an IPv4 address that an IPv6 socket saw
 * as ::ffff:a.b.c.d is IPv4 again. Any thread. */
void aw_address_import(const struct sockaddr *address,
                       struct aw_address *ret_address);

/* What the kernel takes as a destination on a socket of `family`: IPv4 is
 * mapped on an IPv6 socket. Returns its length, -EDESTADDRREQ if there is no
 * address, or -EAFNOSUPPORT for IPv6 on an IPv4 socket. Any thread. */
int aw_address_export(const struct aw_address *address, int family,
                      struct sockaddr_storage *ret_address);

#endif
