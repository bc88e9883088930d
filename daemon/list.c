#include "daemon/list.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/exit_status.h"
#include "devices/can_route.h"
#include "devices/device.h"
#include "devices/device_config.h"
#include "devices/queue/log.h"

/* ---- the objects ---- */

/* A name that scripts can import, from one of the kernel's. */
static void import_name(const char *name, char *text, size_t size)
{
    snprintf(text, size, "%s%s", isdigit((unsigned char)name[0]) ? "_" : "",
             name);
    for (char *letter = text; *letter; letter++) {
        if (!isalnum((unsigned char)*letter) || (unsigned char)*letter > 127)
            *letter = '_';
    }
    if (!aw_device_name_valid(text))
        snprintf(text, size, "device");
}

/* The short form, or null if this awaitd has no such driver. */
static json_t *short_form(const struct aw_listed *listed)
{
    char name[64];

    if (!listed->driver || !aw_driver_find(listed->driver))
        return json_null();
    import_name(listed->name, name, sizeof(name));
    return json_sprintf("%s=%s:%s", name, listed->driver,
                        listed->main ? listed->main : listed->name);
}

int aw_list_add(json_t *list, const struct aw_listed *listed,
                json_t **ret_object)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:b, s:s?, s:o}", "kind", listed->kind,
                  "name", listed->name, "summary", listed->summary, "may_open",
                  (int)listed->may_open, "advice", listed->advice, "device",
                  short_form(listed));

    /* It takes the object over, also when it fails or there is none. */
    if (json_array_append_new(list, object) < 0)
        return -ENOMEM;
    *ret_object = object;
    return 0;
}

/* ---- the command ---- */

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
