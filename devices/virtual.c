/* The driver `virtual`: a bus in memory.
 *
 * What one script sends each other queue gets, with both clocks of the moment
 * of sending. Between send() and read() frames lie in a FIFO of fixed size,
 * which the reader alone touches; an eventfd tells it that there is something
 * in it. A full FIFO makes the sender wait.
 *
 * It serves tests on machines without AF_CAN, and scripts that talk to each
 * other. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/drivers.h"
#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"

/* Frames under way. A power of two: positions count on for ever. */
#define UNDER_WAY_MAX 1024u

/* What a CAN frame is; the rest says what became of it elsewhere. */
#define KEPT_FLAGS                                                             \
    (AW_FRAME_FD | AW_FRAME_BRS | AW_FRAME_ESI | 0xfu << AW_FRAME_RAW_DLC_SHIFT)

enum option { KIND, RECEIVE_OWN, MAX_PAYLOAD };
enum kind { KIND_CAN, KIND_BYTES };

static const char *const kinds[] = {
    [KIND_CAN] = "can", [KIND_BYTES] = "bytes", NULL};

static const struct aw_option options[] = {
    [KIND] = {.name = "kind",
              .type = AW_OPTION_CHOICE,
              .fallback = "can",
              .choices = kinds,
              .help = "what its frames are"},
    [RECEIVE_OWN] = {.name = "receive_own",
                     .type = AW_OPTION_BOOL,
                     .fallback = "no",
                     .help = "give a script what it has sent itself, too"},
    [MAX_PAYLOAD] = {.name = "max_payload",
                     .type = AW_OPTION_INT,
                     .minimum = 1,
                     .maximum = AW_PAYLOAD_MAX,
                     .help = "bytes of the longest frame (can: 64, bytes: "
                             "2048)"},
};

struct bus {
    uint32_t payload_bytes;
    enum aw_kind kind;
    bool receive_own;
    uint16_t channel;
    int bell;
    uint32_t head, tail; /* positions in, out; equal: empty */
    char (*owners)[sizeof(((struct aw_send *)0)->owner)];
    size_t slot_bytes;
    unsigned char *slots;
};

static struct aw_frame *slot_at(const struct bus *bus, uint32_t position)
{
    void *slot =
        bus->slots + (size_t)(position % UNDER_WAY_MAX) * bus->slot_bytes;

    return slot;
}

/* ---- open ---- */

static int check(const struct aw_value *values, struct aw_error *error)
{
    if (values[KIND].integer == KIND_CAN && values[MAX_PAYLOAD].set &&
        values[MAX_PAYLOAD].integer > AW_PAYLOAD_FD)
        return aw_error_set(error, EINVAL,
                            "max_payload %lld is more than the %u bytes of a "
                            "CAN frame: lower it, or `kind: bytes`",
                            (long long)values[MAX_PAYLOAD].integer,
                            AW_PAYLOAD_FD);
    return 0;
}

static void configure(struct bus *bus, const struct aw_value *values)
{
    bool can = values[KIND].integer == KIND_CAN;

    bus->kind = can ? AW_KIND_CAN : AW_KIND_BYTES;
    bus->payload_bytes = can ? AW_PAYLOAD_FD : 2048;
    if (values[MAX_PAYLOAD].set)
        bus->payload_bytes = (uint32_t)values[MAX_PAYLOAD].integer;
    bus->receive_own = values[RECEIVE_OWN].flag;
    bus->slot_bytes = aw_slot_bytes(bus->payload_bytes);
}

static void free_bus(struct bus *bus)
{
    aw_eventfd_close(bus->bell);
    free(bus->owners);
    free(bus->slots);
    free(bus);
}

/* Returns 0, -ENOMEM or why there is no eventfd. */
static int make_bus(const struct aw_value *values, struct bus **ret_bus)
{
    struct bus *bus = calloc(1, sizeof(*bus));
    int result = -ENOMEM;

    if (!bus)
        return result;
    configure(bus, values);
    bus->bell = aw_eventfd_new();
    bus->owners = calloc(UNDER_WAY_MAX, sizeof(bus->owners[0]));
    bus->slots = calloc(UNDER_WAY_MAX, bus->slot_bytes);
    if (bus->bell >= 0 && bus->owners && bus->slots) {
        *ret_bus = bus;
        return 0;
    }
    if (bus->bell < 0)
        result = bus->bell;
    free_bus(bus);
    return result;
}

static int open_virtual(struct aw_link *link, const struct aw_value *values,
                        struct aw_error *error)
{
    struct bus *bus;
    int result = make_bus(values, &bus);

    if (result < 0)
        return aw_error_set(error, -result,
                            "device %s: cannot make a virtual bus: %s",
                            link->name, strerror(-result));
    if (bus->kind == AW_KIND_CAN)
        bus->channel = aw_channels_index(link->channels, link->name);
    link->state = bus;
    link->fd = bus->bell;
    link->payload_bytes = bus->payload_bytes;
    link->kind = bus->kind;
    link->start = AW_START_OPEN;
    link->can_send = true;
    link->can_confirm = true; /* all that is read was sent by it */
    return 0;
}

/* ---- frames ---- */

/* The owners that `batch->exclude` points to stay as they are until the next
 * send(), which is after the reader has given the batch to its queues. */
static int read_virtual(struct aw_link *link, struct aw_batch *batch)
    AW_ON(reader)
{
    struct bus *bus = link->state;

    while (batch->count < batch->limit && bus->tail != bus->head) {
        const struct aw_frame *frame = slot_at(bus, bus->tail);

        memcpy(aw_batch_at(batch, batch->count), frame, aw_frame_bytes(frame));
        batch->exclude[batch->count] = bus->owners[bus->tail % UNDER_WAY_MAX];
        batch->marks[batch->count] = AW_MARK_ECHO;
        bus->tail++;
        batch->count++;
    }
    if (bus->tail == bus->head)
        aw_eventfd_clear(bus->bell);
    return 0;
}

/* The frame as the others see it: sent now, by somebody else. */
static void store(struct bus *bus, const struct aw_frame *frame)
{
    struct aw_frame *slot = slot_at(bus, bus->head);

    memcpy(slot, frame, aw_frame_bytes(frame));
    slot->timestamp_ns = aw_clock_realtime_ns();
    slot->monotonic_ns = aw_clock_monotonic_ns();
    slot->flags &= KEPT_FLAGS;
    aw_frame_set_stamp(slot, AW_STAMP_OWN);
    slot->channel = bus->channel;
    slot->lost_before = 0;
    slot->lost_cause = AW_LOSS_NONE;
}

static int send_virtual(struct aw_link *link, struct aw_send *send)
    AW_ON(reader)
{
    struct bus *bus = link->state;
    char *owner = bus->owners[bus->head % UNDER_WAY_MAX];
    const void *slot = send->frame;
    const struct aw_frame *frame = slot;

    if (frame->kind != bus->kind)
        return -EINVAL;
    if (frame->length > bus->payload_bytes)
        return -EMSGSIZE;
    if (bus->head - bus->tail == UNDER_WAY_MAX)
        return -EAGAIN;
    store(bus, frame);
    memset(owner, 0, sizeof(bus->owners[0]));
    if (!bus->receive_own)
        memcpy(owner, send->owner, sizeof(bus->owners[0]));
    if (bus->head++ == bus->tail)
        aw_eventfd_ring(bus->bell);
    return 0;
}

static void close_virtual(struct aw_link *link)
{
    free_bus(link->state);
}

const struct aw_driver aw_virtual_driver = {
    AW_DRIVER_HEAD,
    .name = "virtual",
    .main_option = "kind",
    .help = "a bus in memory: what one script sends the others get",
    .late_advice = "see whether a queue with overflow=\"block\" is full",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .check = check,
    .open = open_virtual,
    .read = read_virtual,
    .send = send_virtual,
    .close = close_virtual,
};
