#include "devices/udp_link.h"

#include <errno.h>
#include <net/if.h>

#include "devices/queue/log.h"

int aw_udp_link_init(struct aw_udp_link *udp_link, struct aw_link *link,
                     const char *interface, struct aw_error *error)
{
    unsigned index = interface ? if_nametoindex(interface) : 0;
    int result;

    *udp_link = (struct aw_udp_link){.watch = {.fd = -1}};
    link->aux_fd = -1;
    if (!interface)
        return 0;
    if (index == 0)
        return aw_link_watch_explain(link->name, interface, ENODEV, error);
    result = aw_link_watch_init(&udp_link->watch, (int)index, &link->status);
    if (result < 0)
        return aw_link_watch_explain(link->name, interface, -result, error);
    link->aux_fd = udp_link->watch.fd;
    if (link->status.state == AW_LINK_DOWN)
        aw_log(AW_LOG_WARNING,
               "device %s: interface %s is down; datagrams come when it is up "
               "(`ip link set %s up`)",
               link->name, interface, interface);
    return 0;
}

void aw_udp_link_deinit(struct aw_udp_link *udp_link)
{
    aw_link_watch_deinit(&udp_link->watch);
}

int aw_udp_link_read(struct aw_udp_link *udp_link, struct aw_link *link,
                     struct aw_batch *batch)
{
    return aw_link_watch_read(&udp_link->watch, &link->status, batch, 0);
}
