/* What every object of the list begins with. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "daemon/list.h"
#include "devices/device.h"
#include "devices/device_config.h"

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
