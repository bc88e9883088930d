/* A device's frames for a client, from a queue of its own.
 *
 * The queue is an observer's (queue.h): it is in nobody's way, and what a slow
 * client does not take is lost to that client alone, counted and told. Its bell
 * is an eventfd that the loop watches. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control_internal.h"
#include "daemon/frame_text.h"
#include "daemon/stats_json.h"
#include "devices/queue/queue.h"

#define DUMP_BYTES     4194304u /* of a ring */
#define DUMP_SLOTS_MAX 16384u
#define DUMP_SLOTS_MIN 64u
#define FRAMES_AT_ONCE 64u
#define FILTERS_MAX    64u

struct dump {
    struct aw_control_client *client;
    struct aw_device *device; /* a reference */
    struct aw_queue *queue;
    struct aw_waker waker;
    ev_io bell;
};

/* ---- frames ---- */

static json_t *frame_json(const struct dump *dump, const struct aw_frame *frame)
{
    char text[AW_FRAME_TEXT_MAX];
    json_t *object;

    aw_frame_text(frame, dump->device, text);
    object =
        json_pack("{s:s, s:I}", "line", text, "seq", (json_int_t)frame->seq);
    if (object && frame->lost_before > 0)
        json_object_set_new(object, "lost_before",
                            json_integer(frame->lost_before));
    if (object && frame->lost_cause > 0)
        json_object_set_new(
            object, "lost_cause",
            json_pack("[s*, s*, s*]",
                      frame->lost_cause & AW_LOSS_KERNEL ? "kernel" : NULL,
                      frame->lost_cause & AW_LOSS_OVERFLOW ? "overflow" : NULL,
                      frame->lost_cause & AW_LOSS_AWAY ? "away" : NULL));
    return object;
}

/* Returns how many frames were handed on. */
static uint64_t hand_on(struct dump *dump)
{
    struct aw_claim claim;
    uint64_t count = aw_queue_claim(dump->queue, FRAMES_AT_ONCE, &claim);

    if (count == 0)
        return 0;
    for (uint64_t i = 0; i < count; i++) {
        const struct aw_frame *frame = aw_queue_at(dump->queue, &claim, i);

        if (frame)
            aw_control_event(dump->client, "frame", frame_json(dump, frame));
    }
    aw_queue_release(dump->queue, &claim);
    return count;
}

static const char *state_name(enum aw_queue_state state)
{
    static const char *const names[] = {
        [AW_QUEUE_END] = "end",
        [AW_QUEUE_CLOSED] = "closed",
        [AW_QUEUE_STOPPED] = "stopped",
        [AW_QUEUE_LOST] = "lost",
    };

    return names[state];
}

static void finish(struct dump *dump, enum aw_queue_state state)
{
    struct aw_control_client *client = dump->client;
    struct aw_stats stats = {0};

    (void)aw_queue_stats(dump->queue, &stats);
    aw_control_event(client, "end",
                     json_pack("{s:s, s:I, s:I, s:I}", "reason",
                               state_name(state), "received",
                               (json_int_t)stats.received, "delivered",
                               (json_int_t)stats.delivered, "dropped",
                               (json_int_t)aw_stats_dropped(&stats)));
    aw_control_stream_end(client);
}

/* One portion, as long as the client has room; then sleeps at the bell, or at
 * the client's socket. */
static void pump(struct aw_control_client *client)
{
    struct dump *dump = client->stream_data;
    enum aw_queue_state state = aw_queue_state(dump->queue);

    if (!aw_control_client_has_room(client))
        return;
    if (hand_on(dump) > 0 || aw_queue_pending(dump->queue) > 0) {
        ev_feed_event(client->control->config.loop, &dump->bell, EV_CUSTOM);
        return;
    }
    /* The state was looked at first: nothing comes any more. */
    if (state != AW_QUEUE_OPEN)
        finish(dump, state);
    else if (!aw_queue_arm(dump->queue, &dump->waker))
        ev_feed_event(client->control->config.loop, &dump->bell, EV_CUSTOM);
}

static void on_bell(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct dump *dump = watcher->data;

    (void)loop;
    if (events & EV_READ)
        (void)aw_waker_take(&dump->waker);
    pump(dump->client);
}

/* ---- life ---- */

static void free_dump(struct dump *dump)
{
    struct ev_loop *loop = dump->client->control->config.loop;

    ev_clear_pending(loop, &dump->bell);
    ev_io_stop(loop, &dump->bell);
    aw_device_retire(dump->device, dump->queue);
    aw_waker_deinit(&dump->waker);
    aw_queue_unref(dump->queue);
    aw_device_unref(dump->device);
    dump->client->control->dump_count--;
    free(dump);
}

static void end(struct aw_control_client *client)
{
    free_dump(client->stream_data);
}

static const struct aw_control_stream stream = {pump, end};

static uint32_t depth_of(uint32_t payload_bytes)
{
    size_t slots = DUMP_BYTES / aw_slot_bytes(payload_bytes);

    if (slots > DUMP_SLOTS_MAX)
        return DUMP_SLOTS_MAX;
    return slots < DUMP_SLOTS_MIN ? DUMP_SLOTS_MIN : (uint32_t)slots;
}

static int make_queue(struct aw_control_client *client,
                      struct aw_device *device, const struct aw_filter *filters,
                      size_t filter_count, struct aw_queue **ret_queue)
{
    uint32_t payload_bytes = aw_device_payload_bytes(device);
    char name[32];
    /* A replay would be held up by a full queue that keeps the oldest. */
    struct aw_queue_config config = {
        .name = name,
        .device = aw_device_name(device),
        .owner = "(awaitctl)",
        .depth = depth_of(payload_bytes),
        .payload_bytes = payload_bytes,
        .overflow = aw_device_start(device) == AW_START_OPEN
                        ? AW_OVERFLOW_DROP_NEWEST
                        : AW_OVERFLOW_DROP_OLDEST,
        .filters = filters,
        .filter_count = filter_count,
        .observer = true,
    };

    snprintf(name, sizeof(name), "%llu", (unsigned long long)client->number);
    return aw_queue_new(&config, ret_queue);
}

/* Attached last, so that there is nothing to undo but memory. */
static int make_dump(struct aw_control_client *client, struct aw_device *device,
                     const struct aw_filter *filters, size_t filter_count,
                     struct dump **ret_dump)
{
    struct dump *dump = calloc(1, sizeof(*dump));
    int result = dump ? aw_waker_init(&dump->waker, false) : -ENOMEM;

    if (result < 0) {
        free(dump);
        return result;
    }
    result = make_queue(client, device, filters, filter_count, &dump->queue);
    if (result == 0)
        result = aw_device_attach(device, dump->queue);
    if (result < 0) {
        aw_queue_unref(dump->queue);
        aw_waker_deinit(&dump->waker);
        free(dump);
        return result;
    }
    dump->client = client;
    dump->device = aw_device_ref(device);
    ev_io_init(&dump->bell, on_bell, dump->waker.fd, EV_READ);
    dump->bell.data = dump;
    client->control->dump_count++;
    *ret_dump = dump;
    return 0;
}

/* ---- the request ---- */

static bool parse_filter(json_t *object, struct aw_filter *ret_filter)
{
    json_int_t id, mask;
    int extended = -1;

    if (json_unpack(object, "{s:I, s:I, s?b !}", "can_id", &id, "can_mask",
                    &mask, "extended", &extended) < 0 ||
        id < 0 || id > UINT32_MAX || mask < 0 || mask > UINT32_MAX)
        return false;
    *ret_filter =
        (struct aw_filter){.id = (uint32_t)id, .mask = (uint32_t)mask};
    if (extended >= 0)
        ret_filter->mask |= AW_CAN_EXTENDED;
    if (extended > 0)
        ret_filter->id |= AW_CAN_EXTENDED;
    else if (extended == 0)
        ret_filter->id &= ~AW_CAN_EXTENDED;
    return true;
}

/* Returns how many, or -1, and refused. */
static ssize_t parse_filters(struct aw_control_request *request,
                             struct aw_filter filters[FILTERS_MAX])
{
    json_t *list = json_object_get(request->object, "filters");
    size_t count = json_array_size(list);
    bool good = !list || (json_is_array(list) && count <= FILTERS_MAX);

    for (size_t i = 0; good && i < count; i++)
        good = parse_filter(json_array_get(list, i), &filters[i]);
    if (good)
        return (ssize_t)count;
    aw_control_refuse(request->client, request->id, "bad-request",
                      "\"filters\" is a list of at most %u "
                      "{\"can_id\": N, \"can_mask\": N, \"extended\": bool}",
                      FILTERS_MAX);
    return -1;
}

/* The first queue starts some replays: it is to be a script's. */
static bool has_begun(struct aw_device *device)
{
    struct aw_queue_report *reports;
    int count;

    if (aw_device_start(device) != AW_START_ATTACHED)
        return true;
    count = aw_device_reports(device, &reports);
    if (count < 0)
        return false;
    free(reports);
    return count > 0;
}

static bool may_begin(struct aw_control_request *request,
                      struct aw_device *device)
{
    struct aw_control *control = request->control;

    if (control->dump_count >= AW_CONTROL_DUMPS_MAX)
        aw_control_refuse(request->client, request->id, "busy",
                          "%u dumps run already", AW_CONTROL_DUMPS_MAX);
    else if (!has_begun(device))
        aw_control_refuse(request->client, request->id, "not-begun",
                          "this replay begins with the first queue of a "
                          "script, and there has been none yet");
    else
        return true;
    return false;
}

void aw_control_dump(struct aw_control_request *request)
{
    struct aw_device *device = aw_control_device(request);
    struct aw_filter filters[FILTERS_MAX];
    struct dump *dump;
    ssize_t count;
    int result;

    if (!device || !aw_control_may_follow(request) ||
        !may_begin(request, device))
        return;
    count = parse_filters(request, filters);
    if (count < 0)
        return;
    result = make_dump(request->client, device, filters, (size_t)count, &dump);
    if (result < 0) {
        aw_control_refuse(request->client, request->id, "failed",
                          "device %s: %s", aw_device_name(device),
                          strerrordesc_np(-result));
        return;
    }
    aw_control_stream_begin(request, &stream, dump);
    ev_io_start(request->control->config.loop, &dump->bell);
    pump(request->client);
}
