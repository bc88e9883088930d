/* CAN and network interfaces: both are in /sys/class/net. What a CAN controller
 * has besides, its bit rates and the state of its bus, only rtnetlink tells. */
#include <errno.h>
#include <limits.h>
#include <linux/can.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/list.h"
#include "devices/device.h"
#include "devices/link_status.h"

#define CLASS "/sys/class/net"

/* What sysfs says of an interface. */
struct interface {
    const char *name;
    long type; /* ARPHRD_… */
    long mtu;
    bool up;          /* not taken down */
    char carrier[4];  /* "0", "1", or "" where nobody knows */
    char driver[64];  /* the kernel's, or "" */
    char serial[128]; /* of the USB device that it is, or "" */
    char address[64];
    char summary[AW_LIST_SUMMARY];
};

static long read_number(const struct aw_list_root *root, const char *name,
                        const char *key)
{
    char text[32];

    aw_list_read(root, text, sizeof(text), CLASS "/%s/%s", name, key);
    return strtol(text, NULL, 0);
}

/* The interface is a part of a USB device: that is the nearest folder around it
 * with an idVendor. One further out would be the hub's. */
static void find_serial(const struct aw_list_root *root,
                        struct interface *interface)
{
    const struct aw_list_root here = {.path = ""};
    char path[PATH_MAX], *folder, *slash;
    char vendor[16] = "";

    snprintf(path, sizeof(path), "%s" CLASS "/%s/device", root->path,
             interface->name);
    folder = realpath(path, NULL);
    while (folder && !vendor[0] && (slash = strrchr(folder, '/'))) {
        aw_list_read(&here, vendor, sizeof(vendor), "%s/idVendor", folder);
        if (vendor[0])
            aw_list_read(&here, interface->serial, sizeof(interface->serial),
                         "%s/serial", folder);
        *slash = '\0';
    }
    free(folder);
}

static void look(const struct aw_list_root *root, const char *name,
                 struct interface *interface)
{
    *interface = (struct interface){.name = name};
    interface->type = read_number(root, name, "type");
    interface->mtu = read_number(root, name, "mtu");
    interface->up = (read_number(root, name, "flags") & IFF_UP) != 0;
    aw_list_read(root, interface->carrier, sizeof(interface->carrier),
                 CLASS "/%s/carrier", name);
    aw_list_read(root, interface->address, sizeof(interface->address),
                 CLASS "/%s/address", name);
    aw_list_link(root, interface->driver, sizeof(interface->driver),
                 CLASS "/%s/device/driver", name);
    find_serial(root, interface);
}

static void summarise(struct interface *interface)
{
    char *summary = interface->summary;

    aw_list_say(summary, AW_LIST_SUMMARY, "%s", interface->up ? "up" : "down");
    if (interface->up && interface->carrier[0] == '0')
        aw_list_say(summary, AW_LIST_SUMMARY, "no carrier");
    if (interface->driver[0])
        aw_list_say(summary, AW_LIST_SUMMARY, "%s", interface->driver);
    if (interface->serial[0])
        aw_list_say(summary, AW_LIST_SUMMARY, "USB serial %s",
                    interface->serial);
}

/* NULL for "": nobody knows. */
static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

static json_t *carrier_json(const struct interface *interface)
{
    return interface->carrier[0] ? json_boolean(interface->carrier[0] == '1')
                                 : json_null();
}

static int add_common(json_t *object, const struct interface *interface)
{
    if (json_object_set_new(object, "up", json_boolean(interface->up)) < 0 ||
        json_object_set_new(object, "carrier", carrier_json(interface)) < 0 ||
        json_object_set_new(object, "mtu", json_integer(interface->mtu)) < 0 ||
        json_object_set_new(object, "kernel_driver",
                            text_or_null(interface->driver)) < 0 ||
        json_object_set_new(object, "usb_serial",
                            text_or_null(interface->serial)) < 0)
        return -ENOMEM;
    return 0;
}

/* Does the kernel give this user such a socket? One of no protocol gets
 * nothing. Returns 0 or a positive errno. */
static int try_socket(int family, int type, int protocol)
{
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

/* ---- CAN ---- */

static const char *advise_can(int code, const struct interface *interface,
                              const struct aw_can_facts *facts, char *advice,
                              size_t size)
{
    if (code == EAFNOSUPPORT || code == EPROTONOSUPPORT)
        snprintf(advice, size,
                 "no CAN sockets: `modprobe can_raw`, or AF_CAN in "
                 "RestrictAddressFamilies= of the unit");
    else if (code != 0)
        snprintf(advice, size, "no CAN sockets: %s", strerror(code));
    else if (!interface->up)
        snprintf(advice, size, "it is down: `ip link set %s up%s`",
                 interface->name,
                 interface->driver[0] && facts->bitrate == 0
                     ? " type can bitrate RATE"
                     : "");
    else
        return NULL;
    return advice;
}

static struct aw_can_facts ask(const struct aw_list_root *root,
                               const char *name)
{
    struct aw_can_facts facts = {.index = 0};

    if (!root->ask_can || root->ask_can(name, &facts) < 0)
        facts = (struct aw_can_facts){.index = 0};
    return facts;
}

/* The state of its bus, but not "stopped" where it is down anyway. */
static void summarise_can(struct interface *interface,
                          const struct aw_can_facts *facts)
{
    const char *state = aw_bus_state_name(facts->bus_state);
    char *summary = interface->summary;

    summarise(interface);
    if (interface->up && state)
        aw_list_say(summary, AW_LIST_SUMMARY, "%s", state);
    if (facts->bitrate != 0)
        aw_list_say(summary, AW_LIST_SUMMARY, "%u bit/s", facts->bitrate);
    if (interface->mtu > (long)CAN_MTU)
        aw_list_say(summary, AW_LIST_SUMMARY, "FD");
    if (facts->dbitrate != 0)
        aw_list_say(summary, AW_LIST_SUMMARY, "data %u bit/s", facts->dbitrate);
}

static json_t *rate_json(uint32_t rate)
{
    return rate != 0 ? json_integer(rate) : json_null();
}

static int add_can(json_t *object, const struct interface *interface,
                   const struct aw_can_facts *facts)
{
    const char *state = aw_bus_state_name(facts->bus_state);
    bool fd = interface->mtu > (long)CAN_MTU;

    if (json_object_set_new(object, "fd", json_boolean(fd)) < 0 ||
        json_object_set_new(object, "bus_state",
                            text_or_null(state ? state : "")) < 0 ||
        json_object_set_new(object, "bitrate", rate_json(facts->bitrate)) < 0 ||
        json_object_set_new(object, "dbitrate", rate_json(facts->dbitrate)) < 0)
        return -ENOMEM;
    return 0;
}

static int visit_can(const struct aw_list_root *root, const char *name,
                     json_t *list)
{
    struct interface interface;
    struct aw_can_facts facts;
    char advice[160];
    struct aw_listed listed = {.kind = "can", .name = name, .driver = "can"};
    json_t *object;
    int code, result;

    look(root, name, &interface);
    if (interface.type != ARPHRD_CAN)
        return 0;
    code = root->path[0] ? 0 : try_socket(AF_CAN, SOCK_RAW, CAN_RAW);
    facts = ask(root, name);
    summarise_can(&interface, &facts);
    listed.summary = interface.summary;
    listed.may_open = code == 0;
    listed.advice =
        advise_can(code, &interface, &facts, advice, sizeof(advice));
    result = aw_list_add(list, &listed, &object);
    if (result == 0)
        result = add_common(object, &interface);
    return result < 0 ? result : add_can(object, &interface, &facts);
}

int aw_list_can(const struct aw_list_root *root, json_t *list)
{
    return aw_list_each(root, CLASS, visit_can, list);
}

/* ---- network ---- */

/* What this user is told of an interface, or NULL; and may they? */
static const char *advise_net(const struct aw_list_root *root, bool ethernet,
                              bool *ret_may_open)
{
    *ret_may_open = true;
    if (!ethernet)
        return "its frames have no Ethernet header: by UDP only";
    if (root->path[0] || try_socket(AF_PACKET, SOCK_RAW, 0) == 0)
        return NULL;
    *ret_may_open = false;
    return "raw frames want CAP_NET_RAW: AmbientCapabilities=CAP_NET_RAW in "
           "the unit, or `setcap cap_net_raw+ep`; UDP wants nothing";
}

/* A packet socket sees all of an interface; by UDP anybody may. */
static int visit_net(const struct aw_list_root *root, const char *name,
                     json_t *list)
{
    struct interface interface;
    struct aw_listed listed = {.kind = "net", .name = name};
    json_t *object;
    bool ethernet;
    int result;

    look(root, name, &interface);
    if (interface.type == ARPHRD_CAN || interface.type == 0)
        return 0;
    ethernet =
        interface.type == ARPHRD_ETHER || interface.type == ARPHRD_LOOPBACK;
    summarise(&interface);
    aw_list_say(interface.summary, AW_LIST_SUMMARY, "%s", interface.address);
    listed.summary = interface.summary;
    listed.driver = ethernet ? "packet" : NULL;
    listed.advice = advise_net(root, ethernet, &listed.may_open);
    result = aw_list_add(list, &listed, &object);
    if (result == 0)
        result = add_common(object, &interface);
    if (result == 0 && json_object_set_new(object, "address",
                                           text_or_null(interface.address)) < 0)
        result = -ENOMEM;
    return result;
}

int aw_list_net(const struct aw_list_root *root, json_t *list)
{
    return aw_list_each(root, CLASS, visit_net, list);
}
