#include "devices/can_find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if_arp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/can_interfaces.h"
#include "devices/can_route.h"

const struct aw_can_places aw_can_places = {"/sys/class/net", "/run/udev/data"};

/* What a text asks for. */
struct wanted {
    bool by_serial;
    char value[AW_CAN_NAME_BYTES];
    long channel; /* -1: it does not say */
};

static const char *behind(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);

    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

int aw_can_find_check(const char *text, struct aw_error *error)
{
    const char *serial = text ? behind(text, "serial=") : NULL;
    const char *value = serial ? serial : text ? behind(text, "path=") : NULL;
    bool good = text && strlen(text) < AW_CAN_NAME_BYTES;

    if (good)
        good = value ? *value != '\0' : *text && !strpbrk(text, "/ \t");
    if (good)
        return 0;
    return aw_error_set(error, EINVAL,
                        "interface \"%s\" is no name of a network interface "
                        "(as can0; 1 to %u characters), nor serial=NUMBER or "
                        "path=PORT of an adapter, nor any",
                        text ? text : "", AW_CAN_NAME_BYTES - 1);
}

/* ---- files ---- */

/* Reads a small file of one line, its end taken off. Returns the length. */
static size_t read_line(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd >= 0 ? read(fd, text, size - 1) : -1;

    if (fd >= 0)
        close(fd);
    text[bytes > 0 ? bytes : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return strlen(text);
}

static size_t read_attribute(const struct aw_can_places *places,
                             const char *name, const char *attribute,
                             char *text, size_t size)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s/%s", places->interfaces, name,
             attribute);
    return read_line(path, text, size);
}

/* The device that the interface belongs to, as a path of folders. */
static bool find_device(const struct aw_can_places *places, const char *name,
                        char ret_path[PATH_MAX])
{
    char link[PATH_MAX];

    snprintf(link, sizeof(link), "%s/%s/device", places->interfaces, name);
    return realpath(link, ret_path) != NULL;
}

/* ---- what identifies an adapter ---- */

/* Is this folder a USB device as a whole? */
static bool is_usb_device(const char *folder)
{
    char file[PATH_MAX + sizeof("/idVendor")];

    snprintf(file, sizeof(file), "%s/idVendor", folder);
    return access(file, F_OK) == 0;
}

/* It stands at the adapter, a few folders above the interface's own device.
 * Further up is that of the hub, which is no adapter's. */
size_t aw_can_find_serial(const struct aw_can_places *places, const char *name,
                          char *text, size_t size)
{
    char path[PATH_MAX], file[PATH_MAX + sizeof("/serial")];
    char *end;

    text[0] = '\0';
    if (!find_device(places, name, path))
        return 0;
    while ((end = strrchr(path, '/')) && end != path) {
        size_t length;

        snprintf(file, sizeof(file), "%s/serial", path);
        length = read_line(file, text, size);
        if (length > 0 || is_usb_device(path))
            return length;
        *end = '\0';
    }
    return 0;
}

/* Is `value` the end of the path, from the beginning of a folder's name on? */
static bool ends_with(const char *path, const char *value)
{
    size_t length = strlen(path), wanted = strlen(value);

    return wanted < length && path[length - wanted - 1] == '/' &&
           strcmp(path + length - wanted, value) == 0;
}

/* Does udev's record of the interface have this ID_PATH? */
static bool udev_has_path(const struct aw_can_places *places, const char *name,
                          const char *value)
{
    char index[16], path[PATH_MAX], line[512];
    bool found = false;
    FILE *file;

    read_attribute(places, name, "ifindex", index, sizeof(index));
    snprintf(path, sizeof(path), "%s/n%s", places->udev, index);
    file = fopen(path, "re");
    if (!file)
        return false;
    while (!found && fgets(line, sizeof(line), file)) {
        const char *it = behind(line, "E:ID_PATH=");

        line[strcspn(line, "\n")] = '\0';
        found = it && strcmp(it, value) == 0;
    }
    fclose(file);
    return found;
}

static bool has_value(const struct aw_can_places *places, const char *name,
                      const struct wanted *wanted)
{
    char text[PATH_MAX];

    if (wanted->by_serial)
        return aw_can_find_serial(places, name, text, sizeof(text)) > 0 &&
               strcmp(text, wanted->value) == 0;
    return udev_has_path(places, name, wanted->value) ||
           (find_device(places, name, text) && ends_with(text, wanted->value));
}

/* Drivers number their channels in the one attribute or in the other. */
static long channel_of(const struct aw_can_places *places, const char *name)
{
    char port[16], id[16];

    read_attribute(places, name, "dev_port", port, sizeof(port));
    read_attribute(places, name, "dev_id", id, sizeof(id));
    return strtol(port, NULL, 10) != 0 ? strtol(port, NULL, 10)
                                       : strtol(id, NULL, 16);
}

static bool is_wanted(const struct aw_can_places *places, const char *name,
                      const struct wanted *wanted)
{
    return has_value(places, name, wanted) &&
           (wanted->channel < 0 || channel_of(places, name) == wanted->channel);
}

/* ---- the search ---- */

static void parse(const char *text, struct wanted *ret)
{
    const char *serial = behind(text, "serial=");
    const char *value = serial ? serial : behind(text, "path=");
    const char *slash = strrchr(value, '/');
    size_t length = strlen(value);

    *ret = (struct wanted){.by_serial = serial != NULL, .channel = -1};
    if (slash && slash[1] &&
        strspn(slash + 1, "0123456789") == strlen(slash + 1)) {
        ret->channel = strtol(slash + 1, NULL, 10);
        length = (size_t)(slash - value);
    }
    snprintf(ret->value, sizeof(ret->value), "%.*s", (int)length, value);
}

static int explain(const char *text, const char *found, struct aw_error *error)
{
    if (found[0])
        return aw_error_set(error, ENODEV,
                            "%s is not one CAN interface but several: %s; add "
                            "/0, /1, … for the channel",
                            text, found);
    return aw_error_set(error, ENODEV,
                        "no CAN interface has %s (`udevadm info "
                        "/sys/class/net/can0` shows what it is called)",
                        text);
}

int aw_can_find(const struct aw_can_places *places, const char *text,
                char ret_name[AW_CAN_NAME_BYTES], struct aw_error *error)
{
    char all[1024], found[256] = "";
    char *rest = all, *name;
    struct wanted wanted;
    size_t count = 0;

    if (!behind(text, "serial=") && !behind(text, "path=")) {
        snprintf(ret_name, AW_CAN_NAME_BYTES, "%s", text);
        return 0;
    }
    parse(text, &wanted);
    aw_can_interfaces(places->interfaces, all, sizeof(all));
    while ((name = strsep(&rest, ", "))) {
        if (!*name || !is_wanted(places, name, &wanted))
            continue;
        if (count++ == 0)
            snprintf(ret_name, AW_CAN_NAME_BYTES, "%s", name);
        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s",
                 count > 1 ? ", " : "", name);
    }
    return count == 1 ? 0 : explain(text, found, error);
}

/* ---- what the kernel says of it ---- */

int aw_can_find_missing(const char *device, const char *interface,
                        struct aw_error *error)
{
    char names[256];

    if (aw_can_interfaces(aw_can_places.interfaces, names, sizeof(names)) > 0)
        return aw_error_set(error, ENODEV,
                            "device %s: there is no interface %s; the CAN "
                            "interfaces of this machine are: %s",
                            device, interface, names);
    return aw_error_set(error, ENODEV,
                        "device %s: there is no interface %s, nor any CAN "
                        "interface (`ip link add dev %s type vcan` makes a "
                        "virtual one)",
                        device, interface, interface);
}

int aw_can_find_facts(int route, const char *device, const char *text,
                      struct aw_can_facts *ret_facts, struct aw_error *error)
{
    char name[AW_CAN_NAME_BYTES];
    struct aw_error reason;
    int result = aw_can_find(&aw_can_places, text, name, &reason);

    if (result < 0)
        return aw_error_set(error, -result, "device %s: %s", device,
                            reason.text);
    result = aw_can_route_ask(route, 0, name, ret_facts);
    if (result == -ENODEV)
        return aw_can_find_missing(device, name, error);
    if (result < 0)
        return aw_error_set(error, -result, "device %s: interface %s: %s",
                            device, name, strerror(-result));
    if (ret_facts->type != ARPHRD_CAN)
        return aw_error_set(error, ENODEV,
                            "device %s: interface %s is no CAN interface",
                            device, name);
    return 0;
}
