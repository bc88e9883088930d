/* The driver `udp`: datagrams of one bound socket, IPv4 or IPv6.
 *
 * Each datagram is a frame, an empty one too; the sender's address is the head
 * of its payload. One that is longer than `max_payload` is cut and flagged, and
 * its `id` says how long it was. A frame sent goes to the address in its head,
 * or, if that has none, to `peer`. With a peer the socket is connected: only
 * the peer's datagrams come in.
 *
 * Not UDP_GRO, which hands over many datagrams as one: it helps only where the
 * sender gave them away so (UDP_SEGMENT), and a message that the kernel drops
 * counts as one loss, however many datagrams it was.
 *
 * What the network reports about datagrams sent earlier (ICMP) says nothing
 * about the device: a bound socket is never lost by it. Only that of an
 * interface it was told to use is, when that is removed (udp_link.h). */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "devices/address.h"
#include "devices/drivers.h"
#include "devices/queue/log.h"
#include "devices/send_batch.h"
#include "devices/socket.h"
#include "devices/sockopt.h"
#include "devices/udp_link.h"

#define HEAD_BYTES ((uint32_t)sizeof(struct aw_address))

/* The longest datagram that a slot has room for, behind its head. */
#define LONGEST 65503
_Static_assert(LONGEST + HEAD_BYTES <= AW_PAYLOAD_MAX, "room in a slot");

enum option {
    BIND,
    PEER,
    INTERFACE,
    MULTICAST,
    MULTICAST_INTERFACE,
    MULTICAST_TTL,
    REUSE,
    MAX_PAYLOAD,
    RECEIVE_BUFFER
};

static const struct aw_option options[] = {
    [BIND] = {.name = "bind",
              .type = AW_OPTION_TEXT,
              .required = true,
              .help = "where to listen: HOST:PORT or [IPV6]:PORT"},
    [PEER] = {.name = "peer",
              .type = AW_OPTION_TEXT,
              .help = "take datagrams from there alone, and send there what "
                      "has no address: HOST:PORT or [IPV6]:PORT"},
    [INTERFACE] = {.name = "interface",
                   .type = AW_OPTION_TEXT,
                   .help = "receive and send by this interface only, as eth0"},
    [MULTICAST] = {.name = "multicast",
                   .type = AW_OPTION_TEXT,
                   .help = "a group address to join"},
    [MULTICAST_INTERFACE] = {.name = "multicast_interface",
                             .type = AW_OPTION_TEXT,
                             .help = "the interface to join it on and send to "
                                     "groups from, as eth0"},
    [MULTICAST_TTL] = {.name = "multicast_ttl",
                       .type = AW_OPTION_INT,
                       .fallback = "1",
                       .minimum = 0,
                       .maximum = 255,
                       .help = "routers that datagrams to groups may pass, "
                               "plus one"},
    [REUSE] = {.name = "reuse",
               .type = AW_OPTION_BOOL,
               .fallback = "no",
               .help = "let others bind the port too, for multicast"},
    [MAX_PAYLOAD] = {.name = "max_payload",
                     .type = AW_OPTION_INT,
                     .fallback = "2048",
                     .minimum = 1,
                     .maximum = LONGEST,
                     .help = "bytes of the longest datagram taken whole"},
    [RECEIVE_BUFFER] = AW_SOCKET_BUFFER_OPTION,
};

struct udp {
    struct aw_socket *socket;
    int family;
    bool connected; /* to `peer` */
    uint32_t max_payload;
    struct aw_udp_link link; /* of `interface`, or of the groups' */
    struct aw_send_batch sends;
};

/* ---- check ---- */

static bool is_multicast(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;

        return IN_MULTICAST(ntohl(v4->sin_addr.s_addr));
    }
    return IN6_IS_ADDR_MULTICAST(
        &((const struct sockaddr_in6 *)address)->sin6_addr);
}

static int check_group(const struct aw_value *values,
                       const struct aw_endpoint *endpoint,
                       struct aw_error *error)
{
    struct sockaddr_storage group, host;

    if (aw_address_parse(values[MULTICAST].text, &group) < 0 ||
        !is_multicast(&group))
        return aw_error_set(error, EINVAL,
                            "multicast \"%s\" is no group address (224.0.0.0 "
                            "to 239.255.255.255, or ff00::/8)",
                            values[MULTICAST].text);
    if (group.ss_family == AF_INET6 &&
        aw_address_parse(endpoint->host, &host) > 0 &&
        host.ss_family == AF_INET)
        return aw_error_set(error, EINVAL,
                            "multicast %s is an IPv6 group, but bind %s is an "
                            "IPv4 address: bind [::]:%u",
                            values[MULTICAST].text, endpoint->host,
                            endpoint->port);
    return 0;
}

static int check_interface(const struct aw_value *values, enum option option,
                           struct aw_error *error)
{
    const char *name = values[option].text;

    if (name && (!*name || strlen(name) >= IFNAMSIZ))
        return aw_error_set(error, EINVAL,
                            "%s \"%s\" is no name of a network interface (1 to "
                            "%d characters, as eth0)",
                            options[option].name, name, IFNAMSIZ - 1);
    return 0;
}

static int check_peer(const char *text, struct aw_error *error)
{
    struct aw_endpoint endpoint;
    int result = aw_endpoint_parse(text, &endpoint, error);

    if (result == 0 && endpoint.port == 0)
        return aw_error_set(error, EINVAL, "peer %s: port 0 is nobody's", text);
    return result;
}

static int check(const struct aw_value *values, struct aw_error *error)
{
    struct aw_endpoint endpoint;
    int result = aw_endpoint_parse(values[BIND].text ? values[BIND].text : "",
                                   &endpoint, error);

    if (result == 0)
        result = check_interface(values, INTERFACE, error);
    if (result == 0)
        result = check_interface(values, MULTICAST_INTERFACE, error);
    if (result == 0 && values[PEER].text)
        result = check_peer(values[PEER].text, error);
    if (result < 0)
        return result;
    return values[MULTICAST].text ? check_group(values, &endpoint, error) : 0;
}

/* ---- open ---- */

/* `group` is of the family that `level` speaks, which may be IPv4 on a socket
 * of IPv6. */
static int join(const struct udp *udp, const struct sockaddr_storage *group,
                unsigned interface)
{
    int level = group->ss_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    struct group_req request = {.gr_interface = interface, .gr_group = *group};

    return aw_sockopt_set(udp->socket->fd, level, MCAST_JOIN_GROUP, &request,
                          sizeof(request));
}

/* Datagrams to groups leave by this interface, on either protocol. */
static int send_groups_from(const struct udp *udp, unsigned interface)
{
    int fd = udp->socket->fd, index = (int)interface;
    struct ip_mreqn request = {.imr_ifindex = index};
    int result = aw_sockopt_set(fd, IPPROTO_IP, IP_MULTICAST_IF, &request,
                                sizeof(request));

    if (result == 0 && udp->family == AF_INET6)
        result = aw_sockopt_set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, index);
    return result;
}

static int set_up_multicast(const struct udp *udp, const struct aw_link *link,
                            const struct aw_value *values,
                            struct aw_error *error)
{
    const char *group_text = values[MULTICAST].text;
    const char *name = values[MULTICAST_INTERFACE].text;
    unsigned interface = name ? if_nametoindex(name) : 0;
    struct sockaddr_storage group;
    int result = 0;

    if (name && interface == 0)
        return aw_link_watch_explain(link->name, name, ENODEV, error);
    if (name)
        result = send_groups_from(udp, interface);
    if (result == 0 && group_text) {
        aw_address_parse(group_text, &group);
        result = join(udp, &group, interface);
    }
    if (result < 0)
        return aw_error_set(error, -result,
                            "device %s: cannot join group %s on %s: %s; "
                            "multicast_interface: chooses the interface",
                            link->name, group_text ? group_text : "(none)",
                            name ? name : "the default interface",
                            strerror(-result));
    return 0;
}

static int explain_bind(const struct aw_link *link, const char *bind_text,
                        int code, struct aw_error *error)
{
    const char *remedy = "";

    if (code == EADDRINUSE)
        remedy = ": another socket has this port (`ss -ulpn` shows whose); "
                 "choose another one, or `reuse: yes` on both sides";
    else if (code == EADDRNOTAVAIL)
        remedy = ": this machine does not have that address (`ip address` "
                 "lists them; 0.0.0.0 or [::] means all)";
    else if (code == EACCES)
        remedy = ": ports below 1024 need CAP_NET_BIND_SERVICE "
                 "(AmbientCapabilities= under systemd); choose a higher one";
    else if (code == ENODEV)
        remedy = ": there is no such `interface` (`ip link` lists them)";
    else if (code == EAFNOSUPPORT)
        remedy = ": under systemd, RestrictAddressFamilies= must allow "
                 "AF_INET, and AF_INET6 for IPv6, which this machine may lack";
    else if (code == EPERM)
        remedy = ": a security module or a seccomp filter refuses (no "
                 "capability is needed for it)";
    return aw_error_set(error, code, "device %s: cannot bind %s: %s%s",
                        link->name, bind_text, strerror(code), remedy);
}

static int limit_hops(const struct udp *udp, int hops)
{
    int fd = udp->socket->fd;
    int result = aw_sockopt_set_int(fd, IPPROTO_IP, IP_MULTICAST_TTL, hops);

    if (result == 0 && udp->family == AF_INET6)
        result =
            aw_sockopt_set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops);
    return result;
}

static int bind_interface(const struct udp *udp, const char *name)
{
    return aw_sockopt_set(udp->socket->fd, SOL_SOCKET, SO_BINDTODEVICE, name,
                          strlen(name));
}

/* Every option before bind(): from there on datagrams arrive. */
static int prepare(const struct udp *udp, const struct aw_value *values)
{
    int fd = udp->socket->fd;
    int result = aw_sockopt_set_int(fd, SOL_SOCKET, SO_BROADCAST, 1);

    if (result == 0)
        result = limit_hops(udp, (int)values[MULTICAST_TTL].integer);
    if (result == 0 && values[INTERFACE].text)
        result = bind_interface(udp, values[INTERFACE].text);
    if (result == 0 && values[REUSE].flag)
        result = aw_sockopt_set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    /* Only the groups joined here, not those that others have joined. */
    if (result == 0)
        result = aw_sockopt_set_int(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    if (result == 0 && udp->family == AF_INET6)
        result = aw_sockopt_set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
    /* [::] takes IPv4 too, whatever net.ipv6.bindv6only says. */
    if (result == 0 && udp->family == AF_INET6)
        result = aw_sockopt_set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    return result;
}

/* The port is the kernel's choice: somebody will want to know it. */
static void report_port(const struct udp *udp, const struct aw_link *link)
{
    union aw_socket_address address;
    socklen_t length = sizeof(address);
    char text[AW_ADDRESS_TEXT];

    if (getsockname(udp->socket->fd, &address.any, &length) < 0)
        return;
    aw_address_format(&address.any, text);
    aw_log(AW_LOG_INFO, "device %s: listening on %s", link->name, text);
}

/* Makes the socket and gives it its options and its address. */
static int bind_socket(struct udp *udp, const struct aw_link *link,
                       const struct aw_value *values,
                       const struct sockaddr_storage *address, int length)
{
    int result;

    udp->family = address->ss_family;
    result = aw_socket_new(udp->family, SOCK_DGRAM, IPPROTO_UDP, &udp->socket);
    if (result == 0)
        result = prepare(udp, values);
    if (result == 0 && bind(udp->socket->fd, (const struct sockaddr *)address,
                            (socklen_t)length) < 0)
        result = -errno;
    /* Only now: what it warns of would be told at each attempt to open it. */
    if (result == 0)
        result = aw_socket_set_buffer(udp->socket, link->name,
                                      (int)values[RECEIVE_BUFFER].integer);
    return result < 0 ? result : 0;
}

static int bind_udp(struct udp *udp, const struct aw_link *link,
                    const struct aw_value *values, struct aw_error *error)
{
    const char *text = values[BIND].text;
    struct aw_endpoint endpoint;
    struct sockaddr_storage address;
    int result = aw_endpoint_parse(text, &endpoint, error);
    int length;

    if (result < 0)
        return result;
    length = aw_endpoint_resolve(&endpoint, &address);
    if (length < 0)
        return aw_error_set(error, -length,
                            "device %s: cannot bind %s: the host is neither an "
                            "IP address nor a name in /etc/hosts, and DNS is "
                            "not asked",
                            link->name, text);
    result = bind_socket(udp, link, values, &address, length);
    if (result < 0)
        return explain_bind(link, text, -result, error);
    if (endpoint.port == 0)
        report_port(udp, link);
    return 0;
}

/* From here on only the peer's datagrams come in. */
static int connect_udp(struct udp *udp, const struct aw_link *link,
                       const char *text, struct aw_error *error)
{
    struct aw_endpoint endpoint;
    struct sockaddr_storage resolved, mapped;
    struct aw_address peer;
    int result = aw_endpoint_parse(text, &endpoint, error);

    if (result < 0)
        return result;
    result = aw_endpoint_resolve(&endpoint, &resolved);
    if (result >= 0) {
        aw_address_import((struct sockaddr *)&resolved, &peer);
        result = aw_address_export(&peer, udp->family, &mapped);
    }
    if (result >= 0 && connect(udp->socket->fd, (struct sockaddr *)&mapped,
                               (socklen_t)result) < 0)
        result = -errno;
    if (result < 0)
        return aw_error_set(error, -result,
                            "device %s: peer %s cannot be reached from bind: "
                            "%s",
                            link->name, text, strerror(-result));
    udp->connected = true;
    return 0;
}

static int watch(struct udp *udp, struct aw_link *link,
                 const struct aw_value *values, struct aw_error *error)
{
    const char *only = values[INTERFACE].text;

    return aw_udp_link_init(&udp->link, link,
                            only ? only : values[MULTICAST_INTERFACE].text,
                            error);
}

static void free_udp(struct udp *udp)
{
    aw_udp_link_deinit(&udp->link);
    aw_socket_free(udp->socket);
    free(udp);
}

static void describe(struct aw_link *link, const struct aw_value *values)
{
    link->payload_bytes = HEAD_BYTES + (uint32_t)values[MAX_PAYLOAD].integer;
    link->kind = AW_KIND_DATAGRAM;
    link->start = AW_START_OPEN;
    link->can_send = true;
}

static int open_udp(struct aw_link *link, const struct aw_value *values,
                    struct aw_error *error)
{
    struct udp *udp = calloc(1, sizeof(*udp));
    int result;

    if (!udp)
        return aw_error_set(error, ENOMEM, "device %s: out of memory",
                            link->name);
    udp->link.watch.fd = -1;
    udp->max_payload = (uint32_t)values[MAX_PAYLOAD].integer;
    result = bind_udp(udp, link, values, error);
    if (result == 0)
        result = set_up_multicast(udp, link, values, error);
    if (result == 0 && values[PEER].text)
        result = connect_udp(udp, link, values[PEER].text, error);
    if (result == 0)
        result = watch(udp, link, values, error);
    if (result < 0) {
        free_udp(udp);
        return result;
    }
    describe(link, values);
    link->state = udp;
    link->fd = udp->socket->fd;
    link->kept_frames = udp->socket->kept_frames;
    return 0;
}

/* ---- frames ---- */

static void fill_frame(struct udp *udp, uint32_t index, struct aw_frame *frame)
    AW_ON(reader)
{
    uint32_t sent = aw_socket_bytes(udp->socket, index);
    uint32_t taken = sent < udp->max_payload ? sent : udp->max_payload;
    struct aw_address sender;

    frame->kind = AW_KIND_DATAGRAM;
    frame->id = sent;
    frame->length = (uint16_t)(HEAD_BYTES + taken);
    frame->flags = taken < sent ? AW_FRAME_TRUNCATED : 0;
    frame->channel = 0;
    aw_socket_stamp(udp->socket, index, frame);
    aw_address_import(&aw_socket_sender(udp->socket, index)->any, &sender);
    memcpy(frame->payload, &sender, sizeof(sender));
}

/* What the network said about an earlier datagram is not ours to fail for. */
static int judge_error(int result)
{
    switch (-result) {
    case ECONNREFUSED:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EMSGSIZE:
    case ENETDOWN:
    case ENETUNREACH:
    case ENOBUFS:
    case ENOMEM:
    case ENOPROTOOPT:
    case EPROTO:
        return 0;
    default:
        return result;
    }
}

static int read_udp(struct aw_link *link, struct aw_batch *batch) AW_ON(reader)
{
    struct udp *udp = link->state;
    int count;

    aw_socket_place_batch(udp->socket, batch, HEAD_BYTES, udp->max_payload);
    count = aw_socket_receive(udp->socket, batch->limit);
    if (count < 0)
        return judge_error(count);
    for (uint32_t i = 0; i < (uint32_t)count; i++)
        fill_frame(udp, i, aw_batch_at(batch, i));
    batch->count = (uint32_t)count;
    return aw_socket_judge(udp->socket, 0);
}

static int aux_udp(struct aw_link *link, struct aw_batch *batch) AW_ON(reader)
{
    struct udp *udp = link->state;

    return aw_socket_judge(udp->socket,
                           aw_udp_link_read(&udp->link, link, batch));
}

/* Puts one frame into the batch. Returns 0 or a negative errno. */
static int put_send(struct udp *udp, uint32_t index, const struct aw_send *send)
{
    const void *slot = send->frame;
    const struct aw_frame *frame = slot;
    struct aw_address head;
    int bytes = 0;

    if (frame->kind != AW_KIND_DATAGRAM || frame->length < HEAD_BYTES)
        return -EDESTADDRREQ;
    memcpy(&head, frame->payload, sizeof(head));
    if (head.family != 0 || !udp->connected)
        bytes = aw_address_export(&head, udp->family,
                                  aw_send_batch_address(&udp->sends, index));
    if (bytes < 0)
        return bytes;
    aw_send_batch_put(&udp->sends, index, frame->payload + HEAD_BYTES,
                      frame->length - HEAD_BYTES, (socklen_t)bytes);
    return 0;
}

static int send_many(struct aw_link *link, struct aw_send *const *sends,
                     uint32_t count) AW_ON(reader)
{
    struct udp *udp = link->state;
    uint32_t ready = 0;
    int result = 0;

    while (ready < count && result == 0) {
        result = put_send(udp, ready, sends[ready]);
        ready += result == 0;
    }
    if (ready > 0)
        result = aw_send_batch_flush(&udp->sends, udp->socket->fd, ready);
    return aw_udp_link_blame(link, result);
}

static uint64_t count_losses(struct aw_link *link) AW_ON(reader)
{
    const struct udp *udp = link->state;

    return aw_socket_losses(udp->socket);
}

static void close_udp(struct aw_link *link)
{
    free_udp(link->state);
}

const struct aw_driver aw_udp_driver = {
    AW_DRIVER_HEAD,
    .name = "udp",
    .main_option = "bind",
    .help = "datagrams, by UDP over IPv4 or IPv6",
    .late_advice =
        "send more slowly: the interface takes no more from its send "
        "buffer (`ip -s link` shows what it does)",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .check = check,
    .describe = describe,
    .open = open_udp,
    .read = read_udp,
    .aux = aux_udp,
    .send_many = send_many,
    .losses = count_losses,
    .close = close_udp,
};
