#include "daemon/drop_in.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "devices/queue/log.h"

static bool may_open(int domain, int type)
{
    int fd = socket(domain, type | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0 || (errno != EAFNOSUPPORT && errno != EPERM);
}

/* The unit has RestrictRealtime= and no LimitRTPRIO=, the drop-in neither. */
static bool may_run_realtime(void)
{
    struct rlimit limit = {0};

    if (geteuid() == 0)
        return true;
    return getrlimit(RLIMIT_RTPRIO, &limit) == 0 && limit.rlim_cur > 0;
}

/* What the unit refuses is refused before the kernel sees that no processor at
 * all is asked for, which it never gives. */
static bool may_choose_cpus(void)
{
    cpu_set_t none;

    CPU_ZERO(&none);
    return sched_setaffinity(0, sizeof(none), &none) == 0 || errno != EPERM;
}

void aw_allowed_find(struct aw_allowed *ret_allowed)
{
    *ret_allowed = (struct aw_allowed){
        .inet = may_open(AF_INET, SOCK_DGRAM),
        .packet = may_open(AF_PACKET, SOCK_RAW),
        .realtime = may_run_realtime(),
        .affinity = may_choose_cpus(),
    };
}

/* A /dev of the unit's own (PrivateDevices=) can only be read: systemd.exec(5).
 * No device comes into it, now or later, nor a link that udev makes. */
static bool is_private(const char *folder)
{
    struct statvfs status;

    return statvfs(folder, &status) == 0 && (status.f_flag & ST_RDONLY);
}

/* Is the device kept from us: not to be found in a /dev of our own, or not
 * there though the system knows it, or not to be opened whatever its mode is?
 */
static bool is_hidden(const char *root, const char *node)
{
    const char *name = strrchr(node, '/');
    char path[PATH_MAX];
    int fd;

    if (strncmp(node, "/dev/", strlen("/dev/")) != 0)
        return false;
    snprintf(path, sizeof(path), "%s%s", root, node);
    fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        close(fd);
        return false;
    }
    if (errno != ENOENT)
        return errno == EPERM;
    snprintf(path, sizeof(path), "%s/dev", root);
    if (is_private(path))
        return true;
    snprintf(path, sizeof(path), "%s/sys/class/spidev%s", root, name);
    return access(path, F_OK) == 0;
}

static const char *main_value(const struct aw_device_config *device)
{
    const struct aw_driver *driver = device->driver;
    int option = aw_options_find(driver->options, driver->option_count,
                                 driver->main_option);

    return option >= 0 && device->values[option].set
               ? device->values[option].text
               : "";
}

const char *aw_drop_in_missing(const struct aw_device_config *device,
                               const struct aw_allowed *allowed,
                               const char *root)
{
    const char *driver = device->driver->name;

    if (strcmp(driver, "udp") == 0 && !allowed->inet)
        return "udp";
    if (strcmp(driver, "packet") == 0 && !allowed->packet)
        return "packet";
    if (strcmp(driver, "spi") == 0 && is_hidden(root, main_value(device)))
        return "spi";
    return NULL;
}

const char *aw_drop_in_wanted(const struct aw_device_config *device,
                              const struct aw_allowed *allowed)
{
    bool realtime = device->common[AW_COMMON_PRIORITY].integer > 0;
    bool affinity = device->common[AW_COMMON_CPUS].set;

    return (realtime && !allowed->realtime) || (affinity && !allowed->affinity)
               ? "realtime"
               : NULL;
}

/* "awaitd@.service.d" for awaitd@rig.service: a drop-in of all its siblings. */
static void folder_of(const char *unit, char ret_folder[NAME_MAX])
{
    const char *at = strchr(unit, '@');
    int stem = at ? (int)(at - unit + 1) : (int)strcspn(unit, ".");

    snprintf(ret_folder, NAME_MAX, "%.*s.service.d", stem, unit);
}

/* Says for whom which drop-in is missing, and how the unit gets it. */
static void tell(const char *what, const char *name, const char *unit)
{
    char folder[NAME_MAX];

    folder_of(unit, folder);
    aw_log(AW_LOG_ERROR,
           "%s: the service does not allow it without the drop-in %s: mkdir -p "
           "/etc/systemd/system/%s && ln -s " AW_DROP_IN_PATH
           "/%s.conf /etc/systemd/system/%s/ && systemctl daemon-reload && "
           "systemctl restart %s",
           what, name, folder, name, folder, unit);
}

/* False if it cannot be opened without. */
static bool check(const struct aw_device_config *device,
                  const struct aw_allowed *allowed, const char *unit)
{
    const char *missing = aw_drop_in_missing(device, allowed, "");
    const char *name = missing ? missing : aw_drop_in_wanted(device, allowed);
    char what[80];

    snprintf(what, sizeof(what), "device %s", device->name);
    if (name)
        tell(what, name, unit);
    return !missing;
}

bool aw_drop_ins_check(const struct aw_config *config, const char *unit)
{
    struct aw_allowed allowed;
    bool sound = true;

    if (!unit)
        unit = "awaitd.service";
    aw_allowed_find(&allowed);
    for (size_t i = 0; i < config->device_count; i++)
        sound &= check(config->devices[i], &allowed, unit);
    if (config->metrics_listen && !allowed.inet) {
        tell("metrics", "udp", unit);
        sound = false;
    }
    return sound;
}
