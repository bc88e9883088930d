/* A loadable driver with one thing wrong, which a definition names; for
 * test_driver_load. */
#include <errno.h>

#include "devices/device.h"
#include "devices/queue/log.h"

#if defined(PLANT_FUNCTION)

AW_EXPORT int awaitd_driver(void);
int awaitd_driver(void)
{
    return -ENOSYS;
}

#elif defined(PLANT_SMALL)

AW_EXPORT extern const uint16_t awaitd_driver;
const uint16_t awaitd_driver = AW_DRIVER_VERSION;

#else

#ifdef PLANT_VERSION
#define VERSION_OFF 1
#else
#define VERSION_OFF 0
#endif

#ifdef PLANT_SIZE
#define SIZE_OFF 8
#else
#define SIZE_OFF 0
#endif

#ifdef PLANT_LAYOUT
#define LAYOUT_OFF 8
#else
#define LAYOUT_OFF 0
#endif

int aw_nobody_has_this(void);

static const struct aw_option options[] = {
    {.name = "flavour",
     .type = AW_OPTION_TEXT,
     .fallback = "plain",
     .help = "how it tastes"},
};

static int open_planted(struct aw_link *link, const struct aw_value *values,
                        struct aw_error *error)
{
    (void)values;
#ifdef PLANT_UNDEFINED
    if (aw_nobody_has_this())
        return -EINVAL;
#endif
    aw_log(AW_LOG_INFO, "nothing to open");
    return aw_error_set(error, ENODEV, "device %s: it is only planted",
                        link->name);
}

static int read_planted(struct aw_link *link, struct aw_batch *batch)
{
    (void)aw_channels_index(link->channels, "planted");
    (void)aw_batch_add_event(batch, AW_EVENT_LINK_UP, 0, 0, 0);
    return 0;
}

static void close_planted(struct aw_link *link)
{
    (void)link;
}

#ifdef PLANT_SYMBOL
#define awaitd_driver another_name
#endif

AW_EXPORT extern const struct aw_driver awaitd_driver;
const struct aw_driver awaitd_driver = {
    .version = AW_DRIVER_VERSION + VERSION_OFF,
    .size = sizeof(struct aw_driver) - SIZE_OFF,
    .layout = AW_DRIVER_LAYOUT + LAYOUT_OFF,
#ifdef PLANT_OWN_NAME
    .name = "virtual",
#else
    .name = "planted",
#endif
    .main_option = "flavour",
    .help = "nothing at all",
    .options = options,
    .option_count = 1,
    .open = open_planted,
    .read = read_planted,
    .close = close_planted,
};
#endif
