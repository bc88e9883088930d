/* The driver `puppet`: a device that does what a test says.
 *
 * A test sends it orders as datagrams, one line of text each, to the Unix
 * socket `path`; each is carried out when the reader reads it, in order:
 *
 *   frame ID HEX          a CAN frame comes, stamped by the kernel
 *   stamped ID HEX NS     the same, stamped by the hardware as well
 *   event KIND VALUE DETAIL
 *   state CARRIER BUS_STATE BITRATE DBITRATE RESTART_MS TX_ERRORS RX_ERRORS
 *   down / up             its link goes down, comes up: without events
 *   hold / release        its send buffer is full, has room
 *   lose ERRNO            the device is lost
 *
 * It is missing while there is a file `path`.gone. What is sent is taken and
 * forgotten. It stands in place of the real drivers' table, beside `virtual`,
 * in a module of its own that tests in Python import. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/drivers.h"
#include "devices/queue/clock.h"

struct puppet {
    int fd;
    bool down, held;
};

static const struct aw_option options[] = {
    {.name = "path",
     .type = AW_OPTION_TEXT,
     .required = true,
     .help = "the Unix socket that takes orders"},
};

/* ---- open ---- */

static void describe(struct aw_link *link, const struct aw_value *values)
{
    (void)values;
    link->payload_bytes = AW_PAYLOAD_CAN + AW_HW_STAMP_BYTES;
    link->kind = AW_KIND_CAN;
    link->start = AW_START_OPEN;
    link->can_send = true;
}

static bool is_gone(const char *path)
{
    char name[128];

    snprintf(name, sizeof(name), "%s.gone", path);
    return access(name, F_OK) == 0;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -EINVAL;
}

static int open_puppet(struct aw_link *link, const struct aw_value *values,
                       struct aw_error *error)
{
    struct puppet *puppet;
    int fd;

    if (is_gone(values[0].text))
        return aw_error_set(error, ENODEV, "device %s: it is gone", link->name);
    fd = listen_at(values[0].text);
    if (fd < 0)
        return aw_error_set(error, -fd, "device %s: no socket", link->name);
    puppet = calloc(1, sizeof(*puppet));
    if (!puppet) {
        close(fd);
        return -ENOMEM;
    }
    puppet->fd = fd;
    describe(link, values);
    link->state = puppet;
    link->fd = fd;
    aw_channels_index(link->channels, "pup0");
    return 0;
}

/* ---- orders ---- */

static size_t parse_hex(const char *text, uint8_t data[8])
{
    unsigned byte;
    size_t length = 0;

    while (length < 8 && sscanf(text + 2 * length, "%2x", &byte) == 1)
        data[length++] = (uint8_t)byte;
    return length;
}

static void add_frame(struct aw_batch *batch, uint32_t id, const char *hex,
                      uint64_t hw_ns)
{
    struct aw_frame *frame = aw_batch_at(batch, batch->count++);
    uint8_t data[8];

    *frame = (struct aw_frame){
        .timestamp_ns = aw_clock_realtime_ns(),
        .monotonic_ns = aw_clock_monotonic_ns(),
        .id = id,
        .kind = AW_KIND_CAN,
    };
    frame->length = (uint16_t)parse_hex(hex, data);
    memcpy(frame->payload, data, frame->length);
    aw_frame_set_stamp(frame, hw_ns > 0 ? AW_STAMP_HARDWARE : AW_STAMP_KERNEL);
    if (hw_ns > 0)
        aw_frame_set_hw_timestamp(frame, hw_ns);
}

static bool bring(struct aw_batch *batch, const char *order)
{
    char hex[20] = "";
    uint32_t id, kind, detail;
    uint64_t hw_ns = 0;
    int32_t value;

    if (sscanf(order, "frame %" SCNx32 " %18s", &id, hex) >= 1 ||
        sscanf(order, "stamped %" SCNx32 " %18s %" SCNu64, &id, hex, &hw_ns) ==
            3) {
        add_frame(batch, id, hex, hw_ns);
        return true;
    }
    if (sscanf(order, "event %" SCNu32 " %" SCNd32 " %" SCNu32, &kind, &value,
               &detail) == 3)
        return aw_batch_add_event(batch, (enum aw_event_kind)kind, value,
                                  detail, 0);
    return false;
}

static bool set_state(struct aw_link_status *status, const char *order)
{
    return sscanf(order,
                  "state %" SCNu8 " %" SCNu8 " %" SCNu32 " %" SCNu32 " %" SCNu32
                  " %" SCNu16 " %" SCNu16,
                  &status->carrier, &status->bus_state, &status->bitrate,
                  &status->dbitrate, &status->restart_ms, &status->tx_errors,
                  &status->rx_errors) == 7;
}

/* Returns 0 or the errno that the device is lost with. */
static int obey(struct aw_link *link, struct aw_batch *batch, const char *order)
{
    struct puppet *puppet = link->state;
    int code;

    if (bring(batch, order) || set_state(&link->status, order))
        return 0;
    if (sscanf(order, "lose %d", &code) == 1)
        return code;
    if (strcmp(order, "down") == 0 || strcmp(order, "up") == 0) {
        puppet->down = order[0] == 'd';
        link->status.state = puppet->down ? AW_LINK_DOWN : AW_LINK_UP;
    } else if (strcmp(order, "hold") == 0 || strcmp(order, "release") == 0) {
        puppet->held = order[0] == 'h';
    }
    return 0;
}

static int read_puppet(struct aw_link *link, struct aw_batch *batch)
{
    const struct puppet *puppet = link->state;
    char order[128];

    while (batch->count < batch->limit) {
        ssize_t length = recv(puppet->fd, order, sizeof(order) - 1, 0);
        int code;

        if (length < 0)
            return 0;
        order[length] = '\0';
        code = obey(link, batch, order);
        if (code != 0)
            return -code;
    }
    return 0;
}

static int send_puppet(struct aw_link *link, struct aw_send *send)
{
    const struct puppet *puppet = link->state;

    (void)send;
    if (puppet->down)
        return -ENETDOWN;
    return puppet->held ? -ENOBUFS : 0;
}

static void close_puppet(struct aw_link *link)
{
    struct puppet *puppet = link->state;

    close(puppet->fd);
    free(puppet);
}

static const struct aw_driver puppet_driver = {
    AW_DRIVER_HEAD,        .name = "puppet",
    .main_option = "path", .help = "does what a test says",
    .options = options,    .option_count = 1,
    .describe = describe,  .open = open_puppet,
    .read = read_puppet,   .send = send_puppet,
    .close = close_puppet,
};

const struct aw_driver *const aw_drivers[] = {&puppet_driver,
                                              &aw_virtual_driver, NULL};

const struct aw_driver *aw_driver_find(const char *name)
{
    for (size_t i = 0; aw_drivers[i]; i++) {
        if (strcmp(aw_drivers[i]->name, name) == 0)
            return aw_drivers[i];
    }
    return NULL;
}
