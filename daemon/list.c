#include "daemon/list.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/exit_status.h"
#include "devices/can_route.h"
#include "devices/queue/log.h"

static int control(int fd, unsigned long request, void *argument)
{
    return ioctl(fd, request, argument);
}

static int ask_can(const char *name, struct aw_can_facts *ret)
{
    int fd = aw_can_route_open(false);
    int result = fd < 0 ? fd : aw_can_route_ask(fd, 0, name, ret);

    if (fd >= 0)
        close(fd);
    return result;
}

static int collect(const struct aw_list_root *root, json_t *list)
{
    int result = aw_list_can(root, list);

    if (result == 0)
        result = aw_list_spi(root, list);
    if (result == 0)
        result = aw_list_gpio(root, list);
    if (result == 0)
        result = aw_list_net(root, list);
    return result;
}

int aw_list_run(const char *root_path, bool json)
{
    const struct aw_list_root root = {
        .path = root_path ? root_path : "",
        .control = control,
        .ask_can = root_path ? NULL : ask_can,
    };
    json_t *list = json_array();
    int result = list ? collect(&root, list) : -ENOMEM;

    if (result == 0 && json)
        result = json_dumpf(list, stdout, JSON_INDENT(2));
    else if (result == 0)
        aw_list_print(list, stdout);
    if (result == 0 && json)
        putchar('\n');
    json_decref(list);
    if (result == 0)
        return AW_EXIT_OK;
    aw_log(AW_LOG_ERROR, "cannot list the devices");
    return AW_EXIT_INTERNAL;
}
