#include "devices/can_bitrate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/can_route.h"

struct wish {
    const char *device;
    uint32_t bitrate, dbitrate;
};

static bool has(const struct aw_can_facts *facts, const struct wish *wish)
{
    return (wish->bitrate == 0 || facts->bitrate == wish->bitrate) &&
           (wish->dbitrate == 0 || facts->dbitrate == wish->dbitrate);
}

static void write_rates(char *text, size_t size, uint32_t bitrate,
                        uint32_t dbitrate)
{
    if (dbitrate != 0)
        snprintf(text, size, "bitrate %u dbitrate %u fd on", bitrate, dbitrate);
    else
        snprintf(text, size, "bitrate %u", bitrate);
}

/* What is in the way, and the commands that would do it. */
static int explain(const struct wish *wish, const struct aw_can_facts *facts,
                   int code, const char *reason, struct aw_error *error)
{
    const char *name = facts->name;
    char wanted[64], there[64] = "no bit rate", down[64] = "";

    write_rates(wanted, sizeof(wanted), wish->bitrate, wish->dbitrate);
    if (facts->bitrate != 0)
        write_rates(there, sizeof(there), facts->bitrate, facts->dbitrate);
    if (facts->up)
        snprintf(down, sizeof(down), "ip link set %s down && ", name);
    return aw_error_set(error, code,
                        "device %s: interface %s has %s instead of %s, and %s; "
                        "`%sip link set %s type can %s && ip link set %s up` "
                        "sets it",
                        wish->device, name, there, wanted, reason, down, name,
                        wanted, name);
}

static const char *reason_of(int code)
{
    switch (code) {
    case EPERM:
    case EACCES:
        return "this process may not set it (CAP_NET_ADMIN)";
    case EBUSY:
        return "it is up, and may be in use by others";
    default:
        return strerror(code);
    }
}

static int set_rates(int route, const struct aw_can_facts *facts,
                     const struct wish *wish)
{
    unsigned char request[AW_CAN_REQUEST_BYTES];
    size_t bytes;

    if (facts->up)
        return -EBUSY;
    bytes = aw_can_netlink_set(request, facts->index, wish->bitrate,
                               wish->dbitrate);
    return aw_can_route_do(route, request, bytes);
}

static int take_up(int route, const struct aw_can_facts *facts)
{
    unsigned char request[AW_CAN_REQUEST_BYTES];
    size_t bytes = aw_can_netlink_up(request, facts->index);

    return aw_can_route_do(route, request, bytes);
}

int aw_can_bitrate_ensure(int route, const char *device,
                          struct aw_can_facts *facts, uint32_t bitrate,
                          uint32_t dbitrate, struct aw_error *error)
{
    const struct wish wish = {device, bitrate, dbitrate};
    int result = 0;

    if (!facts->controller || bitrate == 0)
        return 0;
    if (!has(facts, &wish))
        result = set_rates(route, facts, &wish);
    if (result < 0)
        return explain(&wish, facts, -result, reason_of(-result), error);
    if (!facts->up)
        result = take_up(route, facts);
    /* Who may not do it will find it down, and is told so. */
    if (result < 0 && result != -EPERM)
        return aw_error_set(error, -result,
                            "device %s: cannot take interface %s up: %s",
                            device, facts->name, strerror(-result));
    result = aw_can_route_ask(route, facts->index, "", facts);
    if (result < 0)
        return aw_error_set(error, -result, "device %s: interface %s: %s",
                            device, facts->name, strerror(-result));
    return 0;
}
