/* The device: configured, opened once, read by one thread.
 *
 * Two halves. The contract of a driver: what a kind of device must do for the
 * reader. And the device itself: what scripts, the bridge and the daemon may
 * ask for, from any thread. Between them stands the reader (reader.c).
 *
 * A driver is a table of functions. `check`, `describe` and the first `open`
 * run on the thread that opens the device, before the reader exists; everything
 * else runs on the reader, one call at a time, and must neither block nor
 * allocate per frame. That includes every later `open`: a device that was lost
 * is opened again by its reader (see on_loss in device_config.h). */
#ifndef AW_DEVICE_H
#define AW_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/link_status.h"
#include "devices/options.h"
#include "devices/queue/error.h"
#include "devices/queue/export.h"
#include "devices/queue/frame.h"
#include "devices/queue/queue.h"
#include "devices/queue/roles.h"

/* ---- the contract of a driver ---- */

#define AW_BATCH_FRAMES 128u
#define AW_CHANNELS_MAX 256u

/* What the reader is to know of a frame in a batch. */
enum aw_mark {
    AW_MARK_ECHO = 1,   /* sent by this very device: may confirm a send */
    AW_MARK_HIDDEN = 2, /* only read for that: no queue gets it, and it is no
                           unit of the stream (no `seq`) */
};

/* Frames on their way from a driver's read() or aux() to the queues. The reader
 * owns the memory; a driver fills `limit` slots at most and sets `count`. */
struct aw_batch {
    uint32_t limit; /* frames wanted now, 1..AW_BATCH_FRAMES */
    uint32_t count; /* frames filled in, 0 on entry */
    bool ended;     /* there will be no more frames after these */
    size_t slot_bytes;
    unsigned char *slots;
    /* The script that sent the frame (aw_send.owner) if its own queues are not
     * to get it; "" else. */
    const char *exclude[AW_BATCH_FRAMES];
    uint8_t marks[AW_BATCH_FRAMES]; /* enum aw_mark, or-ed; 0 on entry */
};

/* The `index`-th slot, to be filled: timestamp_ns, monotonic_ns, id, length,
 * flags, channel, kind, payload, and in `lost_before` the kernel's losses since
 * the frame before. The reader sets `seq`. */
static inline struct aw_frame *aw_batch_at(struct aw_batch *batch,
                                           uint32_t index)
{
    void *slot = batch->slots + (size_t)index * batch->slot_bytes;

    return slot;
}

/* Adds an event to the batch, with both clocks of this moment, `channel` as in
 * a frame (0 for a device of one). Returns false when the batch is full: keep
 * it for the next call. The reader. */
AW_EXPORT bool aw_batch_add_event(struct aw_batch *batch,
                                  enum aw_event_kind kind, int32_t value,
                                  uint32_t detail, uint16_t channel);

/* Names of the channels that frames refer to by index; appended by the reader
 * alone, readable by any thread. */
struct aw_channels {
    _Atomic(uint32_t) count;
    char names[AW_CHANNELS_MAX][32];
};

/* The index of `name`, added if new; AW_CHANNELS_MAX - 1 (named "*") when the
 * table is full. The reader, or open(). */
AW_EXPORT uint16_t aw_channels_index(struct aw_channels *channels,
                                     const char *name);

/* When a device's frames begin. */
enum aw_start {
    AW_START_OPEN,     /* at once */
    AW_START_ATTACHED, /* with its first queue */
    AW_START_RELEASED, /* at aw_device_release() */
};

/* An opened device, as the driver and the reader share it. open() fills it; it
 * stays at its address for the life of the device. */
struct aw_link {
    const char *name; /* the device's, for messages */
    void *state;      /* the driver's own */
    int fd;           /* the reader polls it; -1: nothing to poll */
    int aux_fd;       /* polled beside it, for aux(); -1: none */
    /* The slot class its frames need, AW_HW_STAMP_BYTES included where they
     * have a hardware timestamp. */
    uint32_t payload_bytes;
    /* 0 when it is opened first. Later the class that there are queues of: a
     * device that comes back has to do with it, and refuses (-EMSGSIZE) only
     * if it cannot. */
    uint32_t payload_limit;
    enum aw_kind kind; /* of the frames scripts send and get */
    enum aw_start start;
    /* Frames, small ones, that the kernel keeps for a reader that comes late;
     * 0: it must not. */
    uint32_t kept_frames;
    bool paced;         /* frames only while every queue has room: none drops */
    bool can_send;      /* send() may be called */
    bool can_confirm;   /* read() marks echoes, once want_echo() was called */
    bool blocking_send; /* send() lasts as long as its transfer; the device is
                           not read meanwhile */
    /* The driver's to keep; published by the reader after each of its calls. */
    struct aw_link_status status;
    struct aw_channels *channels; /* the device's; valid from open() on */
};

/* A frame to send. All zero but for what is said of it; lives until the reader
 * has called `done`. */
struct aw_send {
    struct aw_send *next; /* the reader's */
    uint64_t deadline_ns; /* the reader's; CLOCK_MONOTONIC */
    char owner[64];       /* the script's name, or "" */
    void (*done)(struct aw_send *send, int result); /* on the reader's thread */
    void *user;                                     /* the sender's */

    /* What is asked for. */
    uint64_t timeout_ns; /* how long it may wait, from the moment the reader has
                            it; 0: the device's send_timeout_s; UINT64_MAX: for
                            ever (but at most send_timeout_s once the device is
                            being closed) */
    uint64_t expires_ns; /* CLOCK_MONOTONIC: not to be sent any more from then
                            on; 0: never */
    bool wait;           /* link down, bus-off or device away: wait, as long as
                            allowed, rather than fail at once */
    atomic_bool withdrawn; /* given up, as aw_device_withdrawn() says */
    bool confirm; /* done() not before its echo says that it was on the wire;
                     only where aw_device_can_confirm() */
    /* A transfer's answer: where send() puts it, the sender's memory. */
    unsigned char *reply;
    uint32_t reply_capacity; /* bytes at `reply` */

    /* What came of it; valid in done(). */
    uint32_t reply_bytes;     /* written by the driver, at most the capacity */
    uint8_t stamp;            /* confirmed: enum aw_stamp of timestamp_ns, */
    uint64_t timestamp_ns;    /* the echo's, CLOCK_REALTIME, */
    uint64_t monotonic_ns;    /* CLOCK_MONOTONIC, */
    uint64_t hw_timestamp_ns; /* and the hardware's, 0: none */

    _Alignas(8) unsigned char frame[]; /* a struct aw_frame and its payload */
};

/* Frames that send_many() is given at most. */
#define AW_SEND_BATCH 64u

/* What became no frame, of a source that is a log; a loop's first pass. */
struct aw_source_account {
    uint64_t broken_lines;    /* that cannot be parsed */
    uint64_t too_long;        /* frames longer than max_payload */
    uint64_t recorded_losses; /* frames lost when it was recorded */
};

/* Of this layout and meaning of struct aw_driver and all it refers to. A driver
 * built against another one is refused. */
#define AW_DRIVER_VERSION 1u

/* The sizes of what a driver and awaitd share, in one number: it tells headers
 * apart that have the same version. */
#define AW_DRIVER_LAYOUT                                                       \
    ((uint32_t)(sizeof(struct aw_link) + 31 * sizeof(struct aw_batch) +        \
                961 * sizeof(struct aw_send) +                                 \
                29791 * sizeof(struct aw_frame) +                              \
                1009 * sizeof(struct aw_option) +                              \
                2003 * sizeof(struct aw_value) +                               \
                3001 * sizeof(struct aw_error) +                               \
                4001 * sizeof(struct aw_filter) +                              \
                5003 * sizeof(struct aw_source_account)))

/* The first line of each driver's table. */
#define AW_DRIVER_HEAD                                                         \
    .version = AW_DRIVER_VERSION, .size = sizeof(struct aw_driver),            \
    .layout = AW_DRIVER_LAYOUT

struct aw_driver {
    /* AW_DRIVER_HEAD: these three stay where they are in every version. */
    uint32_t version;
    uint32_t size;
    uint32_t layout;

    const char *name;        /* "can"; in the configuration `driver: can` */
    const char *main_option; /* what follows the colon in the short form */
    const char *help;        /* one line */
    /* What to see to when a frame was not sent in time, in a few words after
     * which others may follow; NULL: nothing in particular. */
    const char *late_advice;
    const struct aw_option *options;
    size_t option_count;

    /* Do the values make sense together? Opens nothing. May be NULL. Returns 0
     * or -EINVAL. */
    int (*check)(const struct aw_value *values, struct aw_error *error);

    /* Fills in `link` what scripts have to know before the device is there:
     * kind, payload_bytes (the largest that it may come with), start, paced,
     * can_send, can_confirm. Opens nothing. NULL: a missing device of this
     * driver always fails the start. */
    void (*describe)(struct aw_link *link, const struct aw_value *values);

    /* Opens the device and fills `link`, `link->status` included; on failure
     * nothing is left open. Returns 0 or a negative errno with a sentence for
     * the user: -ENODEV, -ENOENT, -ENXIO or -EADDRNOTAVAIL when it is
     * missing (it may be waited for), -EACCES or -EPERM when it is refused. On
     * the reader's thread, where it may be called again and again after
     * close(), it is to take milliseconds at most; kind and start must be those
     * of the first time, and payload_bytes at most link->payload_limit. */
    int (*open)(struct aw_link *link, const struct aw_value *values,
                struct aw_error *error);

    /* Frames begin now: attached, or released; and again when it is back. May
     * be NULL. */
    void (*start)(struct aw_link *link);

    /* Reads what is there, up to batch->limit frames; called when `fd` polls
     * readable, or may do so. Events may be among the frames. Returns 0 (also
     * when nothing was there: batch->count is 0) or a negative errno: the
     * device is lost. */
    int (*read)(struct aw_link *link, struct aw_batch *batch);

    /* Reads what `aux_fd` has; called when that polls readable. Keeps
     * link->status, and may add events to the batch, no other frames. Events
     * for which there is no room stay where they are: poll tells again. Returns
     * 0 or a negative errno: the device is lost. NULL where there is no aux_fd.
     */
    int (*aux)(struct aw_link *link, struct aw_batch *batch);

    /* Hands one frame to the kernel, or makes a transfer and fills in its
     * reply. Returns 0, -EAGAIN (try again when `fd` polls writable) or
     * -ENOBUFS (try again soon); -ENETDOWN when the link is down or bus-off (a
     * frame with `wait` is tried again, when aux() has been called or soon);
     * or another negative errno that fails this frame alone: whether the device
     * is lost read() says. NULL where nothing can be sent, or by send_many().
     */
    int (*send)(struct aw_link *link, struct aw_send *send);

    /* The same for 1 to AW_SEND_BATCH frames, in order, in place of send().
     * Returns how many of the first were taken, at least one, or what send()
     * would say of the first. NULL: send() is called for each. */
    int (*send_many)(struct aw_link *link, struct aw_send *const *sends,
                     uint32_t count);

    /* A send is to be confirmed: from now on read() marks the echo of each
     * frame that this device sends with AW_MARK_ECHO, and those that would not
     * have been read without with AW_MARK_HIDDEN as well. Once for each open();
     * before the frame is sent. Returns 0 or a negative errno, which fails that
     * frame. NULL where can_confirm is never set, or echoes come anyway. */
    int (*want_echo)(struct aw_link *link);

    /* The frames that anybody wants: those that pass any of these filters (with
     * `joined`, all of them); count 0: every frame. Called when a queue comes,
     * goes or changes its filters, and when the device is back; `filters` is
     * only good during the call. The driver may have the kernel keep the others
     * back, if that is exact, and then sets link->status.kernel_filter. Echoes
     * that want_echo() asked for must come all the same. May be NULL. */
    void (*filter)(struct aw_link *link, const struct aw_filter *filters,
                   size_t count, bool joined);

    /* Something of this driver's own, which a thread asks for by
     * aw_device_control() and waits for: a cyclic transmission, a setting.
     * `request` is a number of the driver's, `argument` the caller's memory.
     * Returns what the caller gets: zero or positive, or a negative errno.
     * Short, as it holds up the reader. NULL: there is nothing of the kind.
     * What a script has asked for must end when it is asked to, and with
     * close(). */
    int (*control)(struct aw_link *link, uint32_t request, void *argument);

    /* How many frames the kernel has lost since open(), those in the
     * lost_before of frames read so far included. May be NULL. */
    uint64_t (*losses)(struct aw_link *link);

    /* What of its source became no frame. After the reader has ended, before
     * close(); not for a device that is away. NULL where there is nothing to
     * tell. */
    void (*account)(struct aw_link *link, struct aw_source_account *ret);

    /* Undoes open(): after the reader has ended, or on its thread when the
     * device is lost; not then where it is lost for good and has account(). */
    void (*close)(struct aw_link *link);
};

/* awaitd's own drivers, NULL at the end (drivers.c). With those that were
 * loaded besides: aw_driver_at() in driver_load.h. */
extern const struct aw_driver *const aw_drivers[];

/* awaitd's own driver called `name`, or NULL. */
const struct aw_driver *aw_driver_find(const char *name);

/* Can this table be used: its version and sizes are ours, what every driver
 * must have is there, and its options are sound? Returns 0 or -EINVAL with a
 * sentence. Any thread. */
int aw_driver_check(const struct aw_driver *driver, struct aw_error *error);

/* Is what open() has said of the device possible with this driver? Returns 0 or
 * -EPROTO with a sentence. Any thread. */
int aw_driver_check_link(const struct aw_driver *driver,
                         const struct aw_link *link, struct aw_error *error);

/* ---- the device: any thread ---- */

struct aw_device;
struct aw_device_config;

/* Sending, accounted for: submitted = sent + expired + timed_out + failed +
 * pending. */
struct aw_send_stats {
    uint64_t submitted, sent, expired, timed_out, failed, pending;
};

/* A queue's line in the device's ledger. */
struct aw_queue_report {
    char name[64];
    char owner[64];
    bool open;                 /* still attached */
    bool observer;             /* an onlooker's: what it loses is no loss */
    enum aw_overflow overflow; /* its policy */
    uint64_t depth;            /* frames it holds at most; "(earlier)": 0 */
    struct aw_stats stats;
    struct aw_latency_counts latency[AW_LATENCY_STAGES];
};

/* Opens a device and starts its reader, with one reference. `config` is only
 * read, and copied. A device that is missing and not `required` is waited for:
 * its status is AW_LINK_WAITING, and queues can be attached. Returns 0 or a
 * negative errno with a sentence in `error` (NULL: nowhere). */
int aw_device_open(const struct aw_device_config *config,
                   struct aw_device **ret_device, struct aw_error *error);

struct aw_device *aw_device_ref(struct aw_device *device);

/* Closes the device with its last reference. Accepts NULL. */
void aw_device_unref(struct aw_device *device);

const char *aw_device_name(const struct aw_device *device);
const struct aw_driver *aw_device_driver(const struct aw_device *device);
enum aw_kind aw_device_kind(const struct aw_device *device);
uint32_t aw_device_payload_bytes(const struct aw_device *device);
bool aw_device_can_send(const struct aw_device *device);
bool aw_device_can_confirm(const struct aw_device *device);
/* Frames that may be under way at once. */
uint32_t aw_device_send_depth(const struct aw_device *device);
bool aw_device_wakes_by_fd(const struct aw_device *device);
enum aw_start aw_device_start(const struct aw_device *device);

/* A consistent copy of the device's status. Does not wait. */
void aw_device_status(const struct aw_device *device,
                      struct aw_link_status *ret_status);

/* The name of a frame's channel, "" if unknown. Valid as long as the device. */
const char *aw_device_channel(const struct aw_device *device, uint16_t index);

/* Number of the next unnamed queue: 1, 2, … */
unsigned aw_device_next_number(struct aw_device *device);

/* Attaches `queue`: it gets every frame from here on. Waits for the reader, up
 * to a batch's time; never call it with a lock held that a reader takes. The
 * device keeps a reference until the queue is retired. At the end of a replay
 * the queue comes back with state AW_QUEUE_END. Returns 0, -ENODEV (the device
 * is closed or lost), -EEXIST (an attached queue of that owner has this name)
 * or -ENOMEM, or -EPERM (a queue that blocks would share the device with
 * another script's, and it does not say allow_block); then it is not attached.
 */
int aw_device_attach(struct aw_device *device, struct aw_queue *queue);

/* Detaches it: the reader will not touch it again; the queue's state becomes
 * AW_QUEUE_CLOSED. Waits like aw_device_attach(). Harmless if detached. */
void aw_device_detach(struct aw_device *device, struct aw_queue *queue);

/* The queue's consumer is gone for good: detaches it, counts what is pending as
 * dropped.closed, and keeps its line in the ledger in place of the reference.
 */
void aw_device_retire(struct aw_device *device, struct aw_queue *queue);

/* Puts `queue` in the place of `old`, an attached queue of the same owner and
 * name that nobody takes from any more: see aw_queue_succeed(). Waits. Returns
 * 0, -ENODEV (`old` is not attached), -EPERM as aw_device_attach(), or why it
 * cannot wake the reader: then nothing has changed. `old` is closed and out of
 * the ledger after this. */
int aw_device_replace(struct aw_device *device, struct aw_queue *old,
                      struct aw_queue *queue);

/* Replaces the filters of an attached queue, between two frames. Waits. Returns
 * 0, -EINVAL, -ENOMEM, or -ENODEV if it is not attached. */
int aw_device_set_filters(struct aw_device *device, struct aw_queue *queue,
                          const struct aw_filter *filters, size_t count);

/* Has the kernel's losses up to now charged to every queue. Waits. */
void aw_device_sync(struct aw_device *device);

/* Accepts `send` for sending: the reader calls send->done() once, with 0,
 * -ETIMEDOUT, -ECANCELED (expired, or withdrawn), -ENETDOWN (the link is down,
 * bus-off, or the device is away) or why the frame failed. Never blocks.
 * Returns 0, -EOPNOTSUPP (nothing can be sent, or not confirmed), -ENOBUFS
 * (send_depth frames are under way) or -ENODEV (the device is closed, or about
 * to be); then done() is not called. */
int aw_device_send(struct aw_device *device, struct aw_send *send);

/* The same for a list of frames, linked by `next`, oldest first: all of them or
 * none, with one wake of the reader. */
int aw_device_send_list(struct aw_device *device, struct aw_send *oldest);

/* Some of the frames under way have been given up by their sender, who has set
 * `withdrawn` in them: those that the kernel does not have yet are not sent any
 * more, and done() gets -ECANCELED soon. It is for the sender to see that
 * done() has not been called, or that they are still there. Never blocks. */
void aw_device_withdrawn(struct aw_device *device);

/* Asks the driver for something of its own: see aw_driver.control. Waits for
 * the reader. Returns what the driver does, -EOPNOTSUPP (it has nothing of the
 * kind), -ENETDOWN (the device is away) or -ENODEV (it is closed or lost). */
int aw_device_control(struct aw_device *device, uint32_t request,
                      void *argument);

/* Has the reader take a turn, also if there is nothing to do. Never blocks. */
void aw_device_ping(struct aw_device *device);

/* Turns of the reader so far; the number may wrap. While it stays the same
 * after a ping the reader is stuck, or has not been scheduled. */
uint32_t aw_device_turns(const struct aw_device *device);

/* Lets the frames of a device with AW_START_RELEASED begin. */
void aw_device_release(struct aw_device *device);

/* Flushes what was accepted for sending (at most send_timeout_s), ends every
 * queue with `stopped`, ends the reader and closes the driver. Idempotent. */
void aw_device_close(struct aw_device *device);

bool aw_device_closed(const struct aw_device *device);

/* The account of a device that is closed; false if its driver keeps none, or it
 * is still open. */
bool aw_device_source_account(const struct aw_device *device,
                              struct aw_source_account *ret_account);

void aw_device_send_stats(const struct aw_device *device,
                          struct aw_send_stats *ret_stats);

/* The ledger: one report for each queue there is or was, oldest first. Retired
 * queues beyond the last 256 are added up in one line named "(earlier)".
 * `*ret_reports` is the caller's to free(). Returns the count or -ENOMEM. */
int aw_device_reports(struct aw_device *device,
                      struct aw_queue_report **ret_reports);

#endif
