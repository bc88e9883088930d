/* Sending a frame for a client: it is answered when the reader has sent it.
 *
 * The reader's callback puts the request on a stack and rings a bell; main
 * takes the whole stack. The client may be gone by then: it is looked up by its
 * number. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control_internal.h"
#include "daemon/frame_text.h"
#include "devices/queue/eventfd.h"

struct order {
    struct order *next;
    struct aw_control_sends *sends;
    struct aw_send *send;
    uint64_t client;
    json_t *id;
    int result;
};

struct aw_control_sends {
    _Atomic(struct order *) done;
    int fd;
};

int aw_control_sends_new(struct aw_control *control,
                         struct aw_control_sends **ret_sends)
{
    struct aw_control_sends *sends = calloc(1, sizeof(*sends));

    (void)control;
    if (!sends)
        return -ENOMEM;
    sends->fd = aw_eventfd_new();
    if (sends->fd < 0) {
        int result = sends->fd;

        free(sends);
        return result;
    }
    *ret_sends = sends;
    return 0;
}

int aw_control_sends_fd(const struct aw_control_sends *sends)
{
    return sends->fd;
}

static void free_order(struct order *order)
{
    json_decref(order->id);
    free(order->send);
    free(order);
}

static struct order *take_all(struct aw_control_sends *sends)
{
    aw_eventfd_clear(sends->fd);
    /* Acquire: what the readers wrote into the orders. Partner: on_done(). */
    return atomic_exchange_explicit(&sends->done, NULL, memory_order_acquire);
}

void aw_control_sends_free(struct aw_control_sends *sends)
{
    struct order *order, *next;

    if (!sends)
        return;
    for (order = take_all(sends); order; order = next) {
        next = order->next;
        free_order(order);
    }
    aw_eventfd_close(sends->fd);
    free(sends);
}

/* The reader's thread. */
static void on_done(struct aw_send *send, int result)
{
    struct order *order = send->user;
    struct aw_control_sends *sends = order->sends;

    order->result = result;
    /* Relaxed: only compared. Release: the order is complete, and those it is
     * linked to. Partner: take_all(). */
    order->next = atomic_load_explicit(&sends->done, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&sends->done, &order->next,
                                                  order, memory_order_release,
                                                  memory_order_relaxed))
        ;
    aw_eventfd_ring(sends->fd);
}

static void refuse(struct aw_control_client *client, json_t *id, int result)
{
    static const struct {
        int result;
        const char *code, *text;
    } reasons[] = {
        {-EOPNOTSUPP, "cannot-send", "this device cannot send that"},
        {-ENOBUFS, "queue-full", "too many frames wait to be sent already"},
        {-ENODEV, "device-closed", "the device is closed"},
        {-ENETDOWN, "link-down", "the link is down, or the device away"},
        {-ETIMEDOUT, "timeout", "the send buffer stayed full"},
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].result == result) {
            aw_control_refuse(client, id, reasons[i].code, "%s",
                              reasons[i].text);
            return;
        }
    aw_control_refuse(client, id, "failed", "%s", strerrordesc_np(-result));
}

static void tell(struct aw_control *control, const struct order *order)
{
    struct aw_control_client *client =
        aw_control_awaited(control, order->client);

    if (!client)
        return;
    if (order->result < 0)
        refuse(client, order->id, order->result);
    else
        aw_control_answer(client, order->id, json_pack("{s:b}", "sent", 1));
}

void aw_control_sends_take(struct aw_control *control)
{
    struct order *order = take_all(control->sends), *next;

    for (; order; order = next) {
        next = order->next;
        tell(control, order);
        free_order(order);
    }
}

/* From here on the order is the reader's, until on_done(). */
static void hand_over(struct aw_control_request *request,
                      struct aw_device *device, struct aw_send *send)
{
    struct order *order = calloc(1, sizeof(*order));
    int result = -ENOMEM;

    if (order) {
        order->sends = request->control->sends;
        order->client = request->client->number;
        order->id = json_incref(request->id);
        order->send = send;
        send->done = on_done;
        send->user = order;
        result = aw_device_send(device, send);
        if (result == 0) {
            request->client->awaited++;
            return;
        }
        free_order(order);
    } else {
        free(send);
    }
    refuse(request->client, request->id, result);
}

void aw_control_send(struct aw_control_request *request)
{
    struct aw_device *device = aw_control_device(request);
    const char *text = device ? aw_control_text(request, "frame") : NULL;
    const char *to = NULL;
    struct aw_error error = {""};
    struct aw_send *send;

    if (!text)
        return;
    if (json_object_get(request->object, "to")) {
        to = aw_control_text(request, "to");
        if (!to)
            return;
    }
    if (!aw_device_can_send(device))
        refuse(request->client, request->id, -EOPNOTSUPP);
    else if (aw_frame_from_text(device, text, to, &send, &error) < 0)
        aw_control_refuse(request->client, request->id, "bad-frame", "%s",
                          error.text);
    else
        hand_over(request, device, send);
}
