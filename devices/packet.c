/* The driver `packet`: Ethernet frames of one interface, by AF_PACKET.
 *
 * Frames come through a ring (packet_ring.h), after a filter that libpcap
 * compiles and the kernel runs: what does not pass has never been there for us.
 * The interface's ups and downs, and its end, are told by rtnetlink
 * (link_watch.h); one that is gone is lost only when the ring is read out.
 *
 * A frame that this very device sends does not come back; those that others on
 * this machine send do, unless `direction` says otherwise. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/drivers.h"
#include "devices/link_watch.h"
#include "devices/packet_ring.h"
#include "devices/queue/log.h"
#include "devices/send_batch.h"
#include "devices/socket.h"
#include "devices/sockopt.h"

/* The longest frame that a slot has room for, a timestamp behind it. */
#define LONGEST 65512
_Static_assert(LONGEST + AW_HW_STAMP_BYTES <= AW_PAYLOAD_MAX, "room in a slot");

/* Room for "outbound and (FILTER)". */
#define FILTER_BYTES 4096

enum option {
    INTERFACE,
    FILTER,
    DIRECTION,
    PROMISCUOUS,
    HW_TIMESTAMPS,
    MAX_PAYLOAD,
    RECEIVE_BUFFER,
    BLOCK_TIMEOUT,
};

/* As pcap_setdirection() and tcpdump -Q name them. */
static const char *const directions[] = {"inout", "in", "out", NULL};
enum direction { INOUT, IN, OUT };

static const struct aw_option options[] = {
    [INTERFACE] = {.name = "interface",
                   .type = AW_OPTION_TEXT,
                   .required = true,
                   .help = "the network interface, as eth0"},
    [FILTER] = {.name = "filter",
                .type = AW_OPTION_TEXT,
                .help = "which frames to take, as tcpdump has it: \"udp port "
                        "5000\"; by default all"},
    [DIRECTION] = {.name = "direction",
                   .type = AW_OPTION_CHOICE,
                   .fallback = "inout",
                   .choices = directions,
                   .help = "frames that come in, those that others on this "
                           "machine send, or both"},
    [PROMISCUOUS] = {.name = "promiscuous",
                     .type = AW_OPTION_BOOL,
                     .fallback = "no",
                     .help = "take frames for other stations too"},
    [HW_TIMESTAMPS] = {.name = "hw_timestamps",
                       .type = AW_OPTION_BOOL,
                       .fallback = "no",
                       .help = "have the interface's clock stamp frames"},
    [MAX_PAYLOAD] = {.name = "max_payload",
                     .type = AW_OPTION_INT,
                     .fallback = "2048",
                     .minimum = 1,
                     .maximum = LONGEST,
                     .help = "bytes of the longest frame taken whole"},
    [RECEIVE_BUFFER] = AW_SOCKET_BUFFER_OPTION,
    [BLOCK_TIMEOUT] = {.name = "block_timeout_ms",
                       .type = AW_OPTION_INT,
                       .fallback = "1",
                       .minimum = 1,
                       .maximum = 10000,
                       .help = "milliseconds that the kernel may gather frames "
                               "before it hands them over"},
};

struct packet {
    int fd;
    int index; /* of the interface */
    bool gone; /* it is no more; what the ring still has is read first */
    struct aw_link_watch watch;
    struct aw_packet_ring ring;
    struct aw_packet_context context;
    struct aw_send_batch sends;
};

/* ---- the filter ---- */

/* The filter with what `direction: out` adds; NULL if that is too long. */
static const char *expression(const struct aw_value *values,
                              char text[FILTER_BYTES])
{
    const char *filter = values[FILTER].text ? values[FILTER].text : "";
    bool out = values[DIRECTION].integer == OUT;
    int length;

    if (out && *filter)
        length = snprintf(text, FILTER_BYTES, "outbound and (%s)", filter);
    else
        length = snprintf(text, FILTER_BYTES, "%s", out ? "outbound" : filter);
    return length < FILTER_BYTES ? text : NULL;
}

/* libpcap as it would capture, or NULL. Where the kernel keeps the VLAN tag
 * beside the frame, only a handle on a real interface knows how to test it; for
 * everything else, and for `awaitd check`, none is opened. */
static pcap_t *open_compiler(const char *interface, int max_payload,
                             const char *text)
{
    char reason[PCAP_ERRBUF_SIZE];
    pcap_t *live;

    if (!interface || !strstr(text, "vlan"))
        return pcap_open_dead(DLT_EN10MB, max_payload);
    live = pcap_create(interface, reason);
    if (!live)
        return NULL;
    pcap_set_snaplen(live, max_payload);
    pcap_set_buffer_size(live, 1 << 16);
    if (pcap_activate(live) >= 0)
        return live;
    pcap_close(live);
    return NULL;
}

/* Compiles the filter: for `interface`, or for a look at its grammar if that is
 * NULL. A program that takes a frame also says how many bytes of it to copy.
 * Returns 0 or -EINVAL; pcap_freecode() frees the program. */
static int compile(const char *interface, const struct aw_value *values,
                   struct bpf_program *ret_program, struct aw_error *error)
{
    char memory[FILTER_BYTES];
    const char *text = expression(values, memory);
    pcap_t *pcap =
        text ? open_compiler(interface, (int)values[MAX_PAYLOAD].integer, text)
             : NULL;
    int result = 0;

    if (!pcap)
        return aw_error_set(error, EINVAL,
                            text ? "filter \"%.200s\": libpcap cannot be "
                                   "started"
                                 : "filter \"%.200s...\" is too long",
                            values[FILTER].text);
    if (pcap_compile(pcap, ret_program, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
        result = aw_error_set(error, EINVAL,
                              "filter \"%.200s\": %s (pcap-filter(7) has the "
                              "grammar)",
                              values[FILTER].text, pcap_geterr(pcap));
    pcap_close(pcap);
    return result;
}

static int attach_filter(const struct packet *packet,
                         const struct aw_value *values, struct aw_error *error)
{
    struct bpf_program program;
    struct sock_fprog attached;
    int result = compile(values[INTERFACE].text, values, &program, error);

    if (result < 0)
        return result;
    /* Field by field the same: libpcap hands its own programs over so. */
    attached = (struct sock_fprog){
        .len = (unsigned short)program.bf_len,
        .filter = (struct sock_filter *)program.bf_insns,
    };
    result = aw_sockopt_set(packet->fd, SOL_SOCKET, SO_ATTACH_FILTER, &attached,
                            sizeof(attached));
    if (result < 0)
        aw_error_set(error, -result, "the kernel does not take the filter: %s",
                     strerror(-result));
    pcap_freecode(&program);
    return result;
}

/* ---- check ---- */

static int check(const struct aw_value *values, struct aw_error *error)
{
    const char *name = values[INTERFACE].text;
    struct bpf_program program;
    int result;

    if (!name || !*name || strlen(name) >= IFNAMSIZ || strpbrk(name, "/ \t"))
        return aw_error_set(error, EINVAL,
                            "interface \"%s\" is no name of a network "
                            "interface (1 to %d characters, as eth0)",
                            name ? name : "", IFNAMSIZ - 1);
    result = compile(NULL, values, &program, error);
    if (result == 0)
        pcap_freecode(&program);
    return result;
}

/* ---- open ---- */

static int explain_socket(const char *device, int code, struct aw_error *error)
{
    if (code == EPERM || code == EACCES)
        return aw_error_set(error, code,
                            "device %s: raw Ethernet needs CAP_NET_RAW: run "
                            "as root, or allow it (AmbientCapabilities="
                            "CAP_NET_RAW under systemd)",
                            device);
    return aw_error_set(
        error, code, "device %s: cannot open a packet socket: %s%s", device,
        strerror(code),
        code == EAFNOSUPPORT ? " (under systemd, RestrictAddressFamilies= must "
                               "allow AF_PACKET)"
                             : "");
}

/* Not of any protocol yet, so that nothing comes before all is set up. */
static int open_socket(struct packet *packet, const struct aw_link *link,
                       struct aw_error *error)
{
    packet->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return packet->fd < 0 ? explain_socket(link->name, errno, error) : 0;
}

static int find_interface(struct packet *packet, const struct aw_link *link,
                          const char *name, struct aw_error *error)
{
    struct ifreq request = {0};
    int type;

    packet->index = (int)if_nametoindex(name);
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (packet->index == 0 || ioctl(packet->fd, SIOCGIFHWADDR, &request) < 0)
        return aw_link_watch_explain(link->name, name, ENODEV, error);
    type = request.ifr_hwaddr.sa_family;
    if (type != ARPHRD_ETHER && type != ARPHRD_LOOPBACK)
        return aw_error_set(error, EPROTONOSUPPORT,
                            "device %s: the frames of interface %s have no "
                            "Ethernet header (hardware type %d)",
                            link->name, name, type);
    return 0;
}

static int use_hw_timestamps(const struct packet *packet,
                             const struct aw_link *link, const char *name,
                             struct aw_error *error)
{
    struct hwtstamp_config config = {.rx_filter = HWTSTAMP_FILTER_ALL};
    struct ifreq request = {.ifr_data = (void *)&config};
    int result = 0;

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (ioctl(packet->fd, SIOCSHWTSTAMP, &request) < 0)
        result = -errno;
    if (result == 0)
        result = aw_sockopt_set_int(packet->fd, SOL_PACKET, PACKET_TIMESTAMP,
                                    SOF_TIMESTAMPING_RAW_HARDWARE);
    if (result < 0)
        return aw_error_set(error, -result,
                            "device %s: hw_timestamps: yes, but interface %s "
                            "does not stamp every frame: %s (`ethtool -T %s` "
                            "shows what it can; it takes CAP_NET_ADMIN)",
                            link->name, name, strerror(-result), name);
    return 0;
}

static int be_promiscuous(const struct packet *packet)
{
    struct packet_mreq request = {.mr_ifindex = packet->index,
                                  .mr_type = PACKET_MR_PROMISC};

    return aw_sockopt_set(packet->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP,
                          &request, sizeof(request));
}

static int make_ring(struct packet *packet, const struct aw_link *link,
                     const struct aw_value *values, struct aw_error *error)
{
    int result = aw_packet_ring_init(&packet->ring, packet->fd,
                                     values[RECEIVE_BUFFER].integer,
                                     (uint32_t)values[MAX_PAYLOAD].integer,
                                     (uint32_t)values[BLOCK_TIMEOUT].integer);

    if (result < 0)
        return aw_error_set(error, -result,
                            "device %s: the kernel gives no ring of %lld "
                            "bytes: %s; set receive_buffer lower",
                            link->name,
                            (long long)values[RECEIVE_BUFFER].integer,
                            strerror(-result));
    return 0;
}

/* Frames come from here on. */
static int begin(struct packet *packet, const struct aw_link *link,
                 const struct aw_value *values, struct aw_error *error)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = packet->index};
    int result = 0;

    if (values[DIRECTION].integer == IN)
        result = aw_sockopt_set_int(packet->fd, SOL_PACKET,
                                    PACKET_IGNORE_OUTGOING, 1);
    if (result == 0 && values[PROMISCUOUS].flag)
        result = be_promiscuous(packet);
    if (result == 0 &&
        bind(packet->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        result = -errno;
    if (result < 0)
        return aw_error_set(
            error, -result, "device %s: cannot use interface %s: %s",
            link->name, values[INTERFACE].text, strerror(-result));
    return 0;
}

static int watch(struct packet *packet, struct aw_link *link, const char *name,
                 struct aw_error *error)
{
    int result =
        aw_link_watch_init(&packet->watch, packet->index, &link->status);

    if (result < 0)
        return aw_link_watch_explain(link->name, name, -result, error);
    if (link->status.state == AW_LINK_DOWN)
        aw_log(AW_LOG_WARNING,
               "device %s: interface %s is down; frames come when it is up "
               "(`ip link set %s up`)",
               link->name, name, name);
    return 0;
}

static int set_up(struct packet *packet, struct aw_link *link,
                  const struct aw_value *values, struct aw_error *error)
{
    const char *name = values[INTERFACE].text;
    int result = find_interface(packet, link, name, error);

    if (result == 0 && values[HW_TIMESTAMPS].flag)
        result = use_hw_timestamps(packet, link, name, error);
    if (result == 0)
        result = attach_filter(packet, values, error);
    if (result == 0)
        result = make_ring(packet, link, values, error);
    if (result == 0)
        result = watch(packet, link, name, error);
    if (result == 0)
        result = begin(packet, link, values, error);
    return result;
}

static void free_packet(struct packet *packet)
{
    aw_link_watch_deinit(&packet->watch);
    aw_packet_ring_deinit(&packet->ring);
    if (packet->fd >= 0)
        close(packet->fd);
    free(packet);
}

static void describe(struct aw_link *link, const struct aw_value *values)
{
    link->payload_bytes = (uint32_t)values[MAX_PAYLOAD].integer +
                          (values[HW_TIMESTAMPS].flag ? AW_HW_STAMP_BYTES : 0);
    link->kind = AW_KIND_ETHERNET;
    link->start = AW_START_OPEN;
    link->can_send = true;
}

static int open_packet(struct aw_link *link, const struct aw_value *values,
                       struct aw_error *error)
{
    struct packet *packet = calloc(1, sizeof(*packet));
    int result;

    if (!packet)
        return aw_error_set(error, ENOMEM, "device %s: out of memory",
                            link->name);
    packet->watch.fd = -1;
    result = open_socket(packet, link, error);
    if (result == 0)
        result = set_up(packet, link, values, error);
    if (result < 0) {
        free_packet(packet);
        return result;
    }
    packet->context = (struct aw_packet_context){
        .max_payload = (uint32_t)values[MAX_PAYLOAD].integer,
        .hw_timestamps = values[HW_TIMESTAMPS].flag,
        .channel = aw_channels_index(link->channels, values[INTERFACE].text),
    };
    describe(link, values);
    link->state = packet;
    link->fd = packet->fd;
    link->aux_fd = packet->watch.fd;
    link->status.kernel_filter = values[FILTER].text != NULL;
    return 0;
}

/* ---- frames ---- */

/* A pending error of the socket's makes it poll readable. That it is down is
 * told by rtnetlink as well, and no loss. */
static int pending_error(const struct packet *packet)
{
    int code = 0;
    socklen_t length = sizeof(code);

    if (getsockopt(packet->fd, SOL_SOCKET, SO_ERROR, &code, &length) < 0)
        return -errno;
    return code == ENETDOWN ? 0 : -code;
}

/* Is the interface gone, and all that came from it read? As aw_socket_judge(),
 * for a ring. */
static int judge_end(struct packet *packet) AW_ON(reader)
{
    return packet->gone && aw_packet_ring_drained(&packet->ring) ? -ENODEV : 0;
}

static int read_packet(struct aw_link *link, struct aw_batch *batch)
    AW_ON(reader)
{
    struct packet *packet = link->state;
    int result = aw_packet_ring_read(&packet->ring, &packet->context, batch);

    if (result < 0)
        return result;
    if (batch->count == 0)
        result = pending_error(packet);
    return result < 0 ? result : judge_end(packet);
}

static int aux(struct aw_link *link, struct aw_batch *batch) AW_ON(reader)
{
    struct packet *packet = link->state;
    int result = aw_link_watch_read(&packet->watch, &link->status, batch,
                                    packet->context.channel);

    if (result != -ENODEV)
        return result;
    packet->gone = true;
    return judge_end(packet);
}

static int send_many(struct aw_link *link, struct aw_send *const *sends,
                     uint32_t count) AW_ON(reader)
{
    struct packet *packet = link->state;
    int result;

    for (uint32_t i = 0; i < count; i++) {
        const void *slot = sends[i]->frame;
        const struct aw_frame *frame = slot;

        aw_send_batch_put(&packet->sends, i, frame->payload, frame->length, 0);
    }
    result = aw_send_batch_flush(&packet->sends, packet->fd, count);
    /* A queue that nothing leaves: what holds it up is the link. */
    if (result == -ENOBUFS && link->status.state == AW_LINK_DOWN)
        return -ENETDOWN;
    /* The socket's interface is no more; that it is lost is about to be told.
     */
    return result == -ENXIO ? -ENODEV : result;
}

static uint64_t count_losses(struct aw_link *link) AW_ON(reader)
{
    struct packet *packet = link->state;

    return aw_packet_ring_losses(&packet->ring);
}

static void close_packet(struct aw_link *link)
{
    free_packet(link->state);
}

const struct aw_driver aw_packet_driver = {
    AW_DRIVER_HEAD,
    .name = "packet",
    .main_option = "interface",
    .help = "Ethernet frames of an interface, by AF_PACKET",
    .late_advice =
        "send more slowly: the interface takes no more from its send "
        "buffer (`ip -s link` shows what it does)",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .check = check,
    .describe = describe,
    .open = open_packet,
    .read = read_packet,
    .aux = aux,
    .send_many = send_many,
    .losses = count_losses,
    .close = close_packet,
};
