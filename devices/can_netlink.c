#include "devices/can_netlink.h"

#include <linux/can/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* ---- reading ---- */

struct span {
    const unsigned char *at;
    size_t left;
};

/* Takes an attribute off `span`. False at the end, and where it would reach
 * beyond it. */
static bool take(struct span *span, uint16_t *ret_type, struct span *ret_value)
{
    struct rtattr head;
    size_t whole;

    if (span->left < sizeof(head))
        return false;
    memcpy(&head, span->at, sizeof(head));
    if (head.rta_len < sizeof(head) || head.rta_len > span->left)
        return false;
    *ret_type = (uint16_t)(head.rta_type & (uint16_t)NLA_TYPE_MASK);
    ret_value->at = span->at + RTA_LENGTH(0);
    ret_value->left = head.rta_len - sizeof(head);
    whole = RTA_ALIGN(head.rta_len);
    if (whole > span->left)
        whole = span->left;
    span->at += whole;
    span->left -= whole;
    return true;
}

/* Copies a value of that size, or a longer one's beginning: the kernel's
 * structs grow at their end. */
static bool copy(struct span value, void *target, size_t bytes)
{
    if (value.left < bytes)
        return false;
    memcpy(target, value.at, bytes);
    return true;
}

static bool text_is(struct span value, const char *text)
{
    size_t length = strlen(text);

    return value.left >= length && memcmp(value.at, text, length) == 0 &&
           (value.left == length || value.at[length] == '\0');
}

static void read_bitrate(struct span value, uint32_t *ret_bitrate)
{
    struct can_bittiming timing;

    if (copy(value, &timing, sizeof(timing)))
        *ret_bitrate = timing.bitrate;
}

static void read_state(struct span value, struct aw_can_facts *facts)
{
    uint32_t state;

    if (!copy(value, &state, sizeof(state)))
        return;
    facts->controller = true;
    facts->bus_state =
        state < CAN_STATE_MAX ? (enum aw_bus_state)(state + 1) : AW_BUS_UNKNOWN;
}

static void read_counters(struct span value, struct aw_can_facts *facts)
{
    struct can_berr_counter counters;

    if (!copy(value, &counters, sizeof(counters)))
        return;
    facts->counted = true;
    facts->tx_errors = counters.txerr;
    facts->rx_errors = counters.rxerr;
}

static void read_modes(struct span value, struct aw_can_facts *facts)
{
    struct can_ctrlmode modes;

    if (copy(value, &modes, sizeof(modes)))
        facts->modes = modes.flags;
}

static void read_controller(struct span data, struct aw_can_facts *facts)
{
    struct span value;
    uint16_t type;

    while (take(&data, &type, &value)) {
        switch (type) {
        case IFLA_CAN_STATE:
            read_state(value, facts);
            break;
        case IFLA_CAN_BITTIMING:
            read_bitrate(value, &facts->bitrate);
            break;
        case IFLA_CAN_DATA_BITTIMING:
            read_bitrate(value, &facts->dbitrate);
            break;
        case IFLA_CAN_RESTART_MS:
            (void)copy(value, &facts->restart_ms, sizeof(facts->restart_ms));
            break;
        case IFLA_CAN_BERR_COUNTER:
            read_counters(value, facts);
            break;
        case IFLA_CAN_CTRLMODE:
            read_modes(value, facts);
            break;
        default:
            break;
        }
    }
}

static void read_statistics(struct span value, struct aw_can_facts *facts)
{
    struct can_device_stats statistics;

    if (!copy(value, &statistics, sizeof(statistics)))
        return;
    facts->bus_offs = statistics.bus_off;
    facts->restarts = statistics.restarts;
}

/* Other kinds of link number their data in ways of their own: only that of
 * kind "can" is read. The kernel names the kind first. */
static void read_link_info(struct span info, struct aw_can_facts *facts)
{
    struct span value;
    uint16_t type;
    bool can = false;

    while (take(&info, &type, &value)) {
        if (type == IFLA_INFO_KIND)
            can = text_is(value, "can");
        else if (can && type == IFLA_INFO_DATA)
            read_controller(value, facts);
        else if (can && type == IFLA_INFO_XSTATS)
            read_statistics(value, facts);
    }
}

static void read_name(struct span value, struct aw_can_facts *facts)
{
    size_t length = value.left;

    if (length >= sizeof(facts->name))
        length = sizeof(facts->name) - 1;
    memcpy(facts->name, value.at, length);
    facts->name[length] = '\0';
}

static void read_attributes(struct span attributes, struct aw_can_facts *facts)
{
    struct span value;
    uint16_t type;

    while (take(&attributes, &type, &value)) {
        switch (type) {
        case IFLA_IFNAME:
            read_name(value, facts);
            break;
        case IFLA_MTU:
            (void)copy(value, &facts->mtu, sizeof(facts->mtu));
            break;
        case IFLA_CARRIER:
            facts->carrier = value.left > 0 && value.at[0] != 0;
            break;
        case IFLA_LINKINFO:
            read_link_info(value, facts);
            break;
        default:
            break;
        }
    }
}

static enum aw_can_news read_link(struct span body, bool gone,
                                  struct aw_can_facts *ret)
{
    struct aw_can_facts facts = {.gone = gone};
    struct ifinfomsg head;

    if (!copy(body, &head, sizeof(head)))
        return AW_CAN_NEWS_OTHER;
    facts.index = head.ifi_index;
    facts.type = head.ifi_type;
    facts.up = (head.ifi_flags & IFF_UP) != 0;
    /* Where the kernel does not say it in so many words. */
    facts.carrier = (head.ifi_flags & IFF_RUNNING) != 0;
    body.at += NLMSG_ALIGN(sizeof(head));
    body.left -= NLMSG_ALIGN(sizeof(head));
    read_attributes(body, &facts);
    *ret = facts;
    return AW_CAN_NEWS_LINK;
}

static int read_answer(struct span body)
{
    struct nlmsgerr answer;

    /* Of a failure's answer only the head is sure to be there. */
    if (!copy(body, &answer.error, sizeof(answer.error)))
        return AW_CAN_NEWS_OTHER;
    if (answer.error > 0) /* no error, and no news of ours */
        return AW_CAN_NEWS_OTHER;
    return answer.error == 0 ? AW_CAN_NEWS_DONE : answer.error;
}

int aw_can_netlink_next(const unsigned char **bytes, size_t *size,
                        struct aw_can_facts *ret)
{
    struct nlmsghdr head;
    struct span body;
    size_t whole;

    if (*size < sizeof(head))
        return AW_CAN_NEWS_NONE;
    memcpy(&head, *bytes, sizeof(head));
    if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > *size)
        return AW_CAN_NEWS_NONE;
    body.at = *bytes + NLMSG_HDRLEN;
    body.left = head.nlmsg_len - sizeof(head);
    whole = NLMSG_ALIGN(head.nlmsg_len);
    if (whole > *size)
        whole = *size;
    *bytes += whole;
    *size -= whole;
    switch (head.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return (int)read_link(body, head.nlmsg_type == RTM_DELLINK, ret);
    case NLMSG_ERROR:
        return read_answer(body);
    default:
        return AW_CAN_NEWS_OTHER;
    }
}

/* ---- writing ---- */

/* What is written here is bounded by its callers: two structs of bit timing,
 * and a name of AW_CAN_NAME_BYTES, stay far below AW_CAN_REQUEST_BYTES. */
struct request {
    unsigned char *bytes;
    size_t size;
};

static struct request begin(unsigned char *bytes, uint16_t type, uint16_t flags,
                            const struct ifinfomsg *link)
{
    struct nlmsghdr head = {.nlmsg_type = type,
                            .nlmsg_flags = NLM_F_REQUEST | flags};

    memset(bytes, 0, AW_CAN_REQUEST_BYTES);
    memcpy(bytes, &head, sizeof(head));
    memcpy(bytes + NLMSG_HDRLEN, link, sizeof(*link));
    return (struct request){bytes, NLMSG_SPACE(sizeof(*link))};
}

static size_t end(struct request *request)
{
    uint32_t size = (uint32_t)request->size;

    memcpy(request->bytes, &size, sizeof(size)); /* nlmsg_len comes first */
    return request->size;
}

static void put(struct request *request, unsigned short type, const void *value,
                size_t bytes)
{
    struct rtattr head = {.rta_len = (unsigned short)RTA_LENGTH(bytes),
                          .rta_type = type};

    memcpy(request->bytes + request->size, &head, sizeof(head));
    if (bytes > 0)
        memcpy(request->bytes + request->size + RTA_LENGTH(0), value, bytes);
    request->size += RTA_SPACE(bytes);
}

/* Begins an attribute that others lie in; returns where it is. */
static size_t open_nest(struct request *request, unsigned short type)
{
    size_t place = request->size;

    put(request, type, NULL, 0);
    return place;
}

static void close_nest(struct request *request, size_t place)
{
    unsigned short length = (unsigned short)(request->size - place);

    memcpy(request->bytes + place, &length, sizeof(length));
}

size_t aw_can_netlink_ask(unsigned char request[AW_CAN_REQUEST_BYTES],
                          int index, const char *name)
{
    struct ifinfomsg link = {.ifi_index = index};
    struct request made = begin(request, RTM_GETLINK, 0, &link);
    uint32_t without = RTEXT_FILTER_SKIP_STATS;
    size_t length = index == 0 ? strnlen(name, AW_CAN_NAME_BYTES - 1) : 0;

    put(&made, IFLA_EXT_MASK, &without, sizeof(without));
    /* The kernel looks both up among names of either sort. */
    if (length > 0)
        put(&made, length < IFNAMSIZ ? IFLA_IFNAME : IFLA_ALT_IFNAME, name,
            length + 1);
    return end(&made);
}

static void put_bitrate(struct request *request, unsigned short type,
                        uint32_t bitrate)
{
    struct can_bittiming timing = {.bitrate = bitrate};

    put(request, type, &timing, sizeof(timing));
}

size_t aw_can_netlink_set(unsigned char request[AW_CAN_REQUEST_BYTES],
                          int index, uint32_t bitrate, uint32_t dbitrate)
{
    struct ifinfomsg link = {.ifi_index = index};
    struct request made = begin(request, RTM_NEWLINK, NLM_F_ACK, &link);
    struct can_ctrlmode fd = {CAN_CTRLMODE_FD, CAN_CTRLMODE_FD};
    size_t info = open_nest(&made, IFLA_LINKINFO);
    size_t data;

    put(&made, IFLA_INFO_KIND, "can", sizeof("can"));
    data = open_nest(&made, IFLA_INFO_DATA);
    put_bitrate(&made, IFLA_CAN_BITTIMING, bitrate);
    if (dbitrate != 0) {
        put_bitrate(&made, IFLA_CAN_DATA_BITTIMING, dbitrate);
        put(&made, IFLA_CAN_CTRLMODE, &fd, sizeof(fd));
    }
    close_nest(&made, data);
    close_nest(&made, info);
    return end(&made);
}

size_t aw_can_netlink_up(unsigned char request[AW_CAN_REQUEST_BYTES], int index)
{
    struct ifinfomsg link = {
        .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct request made = begin(request, RTM_NEWLINK, NLM_F_ACK, &link);

    return end(&made);
}
