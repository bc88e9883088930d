/* The device: configured, opened once, read by one thread.
 *
 * Two halves. The contract of a driver: what a kind of device must do for the
 * reader. And the device itself: what scripts, the bridge and the daemon may
 * ask for, from any thread. Between them stands the reader (reader.c).
 *
 * A driver is a table of functions. `check` and `open` run on the thread that
 * opens the device, before the reader exists; everything else runs on the
 * reader, one call at a time, and must neither block nor allocate per frame. */
#ifndef AW_DEVICE_H
#define AW_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/options.h"
#include "devices/queue/error.h"
#include "devices/queue/frame.h"
#include "devices/queue/queue.h"
#include "devices/queue/roles.h"

/* ---- the contract of a driver ---- */

#define AW_BATCH_FRAMES 128u
#define AW_CHANNELS_MAX 256u

/* Frames on their way from a driver's read() to the queues. The reader owns the
 * memory; a driver fills `limit` slots at most and sets `count`. */
struct aw_batch {
    uint32_t limit; /* frames wanted now, 1..AW_BATCH_FRAMES */
    uint32_t count; /* frames filled in, 0 on entry */
    bool ended;     /* there will be no more frames after these */
    size_t slot_bytes;
    unsigned char *slots;
    /* The script that sent the frame (aw_send.owner) if its own queues are not
     * to get it; "" else. */
    const char *exclude[AW_BATCH_FRAMES];
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

/* Names of the channels that frames refer to by index; appended by the reader
 * alone, readable by any thread. */
struct aw_channels {
    _Atomic(uint32_t) count;
    char names[AW_CHANNELS_MAX][32];
};

/* The index of `name`, added if new; AW_CHANNELS_MAX - 1 (named "*") when the
 * table is full. The reader, or open(). */
uint16_t aw_channels_index(struct aw_channels *channels, const char *name);

/* When a device's frames begin. */
enum aw_start {
    AW_START_OPEN,     /* at once */
    AW_START_ATTACHED, /* with its first queue */
    AW_START_RELEASED, /* at aw_device_release() */
};

/* An opened device, as the driver and the reader share it. open() fills it. */
struct aw_link {
    const char *name;       /* the device's, for messages */
    void *state;            /* the driver's own */
    int fd;                 /* the reader polls it; -1: nothing to poll */
    uint32_t payload_bytes; /* the slot class its frames need */
    enum aw_kind kind;      /* of the frames scripts send and get */
    enum aw_start start;
    /* Frames, small ones, that the kernel keeps for a reader that comes late;
     * 0: it must not. */
    uint32_t kept_frames;
    bool paced;    /* frames only while every queue has room: nothing drops */
    bool can_send; /* send() may be called */
    struct aw_channels *channels; /* the device's; valid from open() on */
};

/* A frame to send. Lives until the reader has called `done`. */
struct aw_send {
    struct aw_send *next; /* the reader's */
    uint64_t deadline_ns; /* the reader's; CLOCK_MONOTONIC */
    char owner[64];       /* the script's name, or "" */
    void (*done)(struct aw_send *send, int result); /* on the reader's thread */
    void *user;                                     /* the sender's */
    _Alignas(8) unsigned char frame[]; /* a struct aw_frame and its payload */
};

/* What became no frame, of a source that is a log; a loop's first pass. */
struct aw_source_account {
    uint64_t broken_lines;    /* that cannot be parsed */
    uint64_t too_long;        /* frames longer than max_payload */
    uint64_t recorded_losses; /* frames lost when it was recorded */
};

struct aw_driver {
    const char *name;        /* "can"; in the configuration `driver: can` */
    const char *main_option; /* what follows the colon in the short form */
    const char *help;        /* one line */
    const struct aw_option *options;
    size_t option_count;

    /* Do the values make sense together? Opens nothing. May be NULL. Returns 0
     * or -EINVAL. */
    int (*check)(const struct aw_value *values, struct aw_error *error);

    /* Opens the device and fills `link`; on failure nothing is left open.
     * Returns 0 or a negative errno with a sentence for the user: -ENODEV and
     * the like when it is missing, -EACCES or -EPERM when it is refused. */
    int (*open)(struct aw_link *link, const struct aw_value *values,
                struct aw_error *error);

    /* Frames begin now: attached, or released. May be NULL. */
    void (*start)(struct aw_link *link);

    /* Reads what is there, up to batch->limit frames; called when `fd` polls
     * readable, or may do so. Returns 0 (also when nothing was there:
     * batch->count is 0) or a negative errno: the device is lost. */
    int (*read)(struct aw_link *link, struct aw_batch *batch);

    /* Hands one frame to the kernel. Returns 0, -EAGAIN (try again when `fd`
     * polls writable) or -ENOBUFS (try again soon), or another negative errno
     * that fails this frame alone. NULL where nothing can be sent. */
    int (*send)(struct aw_link *link, const struct aw_send *send);

    /* How many frames the kernel has lost since open(), those in the
     * lost_before of frames read so far included. May be NULL. */
    uint64_t (*losses)(struct aw_link *link);

    /* What of its source became no frame. After the reader has ended, before
     * close(). NULL where there is nothing to tell. */
    void (*account)(struct aw_link *link, struct aw_source_account *ret);

    /* Undoes open(). After the reader has ended. */
    void (*close)(struct aw_link *link);
};

/* All drivers, NULL at the end (drivers.c). */
extern const struct aw_driver *const aw_drivers[];

/* The driver called `name`, or NULL. */
const struct aw_driver *aw_driver_find(const char *name);

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
    bool open; /* still attached */
    struct aw_stats stats;
};

/* Opens a device and starts its reader, with one reference. `config` is only
 * read. Returns 0 or a negative errno with a sentence. */
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
bool aw_device_wakes_by_fd(const struct aw_device *device);
enum aw_start aw_device_start(const struct aw_device *device);

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

/* Replaces the filters of an attached queue, between two frames. Waits. Returns
 * 0, -EINVAL, -ENOMEM, or -ENODEV if it is not attached. */
int aw_device_set_filters(struct aw_device *device, struct aw_queue *queue,
                          const struct aw_filter *filters, size_t count);

/* Has the kernel's losses up to now charged to every queue. Waits. */
void aw_device_sync(struct aw_device *device);

/* Accepts `send` for sending: the reader calls send->done() once, with 0,
 * -ETIMEDOUT or why the frame failed. Returns 0, -EOPNOTSUPP (nothing can be
 * sent) or -ENODEV (the device is closed, or about to be); then done() is not
 * called. */
int aw_device_send(struct aw_device *device, struct aw_send *send);

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
