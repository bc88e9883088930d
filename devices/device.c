#include "devices/device.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "devices/ledger_book.h"
#include "devices/queue/eventfd.h"
#include "devices/queue/log.h"
#include "devices/reader.h"

struct aw_device {
    char name[64];
    bool mlock, allow_block, wakes_by_fd;
    struct aw_link facts;    /* as it was opened: the reader has its own */
    struct aw_value *values; /* of the driver's options, for open() */
    _Atomic(unsigned) references;
    _Atomic(unsigned) numbered; /* unnamed queues so far */
    atomic_bool closed;
    pthread_mutex_t closing; /* held by the one thread that closes */
    /* Final once `closed` is set. */
    struct aw_source_account account;
    struct aw_ledger_book book;
    struct aw_reader reader;
};

static void free_values(struct aw_device *device)
{
    size_t count = device->reader.driver->option_count;

    for (size_t i = 0; device->values && i < count; i++)
        aw_value_deinit(&device->values[i]);
    free(device->values);
}

static int copy_values(struct aw_device *device,
                       const struct aw_device_config *config)
{
    size_t count = config->driver->option_count;
    int result = 0;

    device->values = calloc(count + 1, sizeof(*device->values));
    if (!device->values)
        return -ENOMEM;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = aw_value_copy(&config->values[i], &device->values[i]);
    device->reader.values = device->values;
    return result;
}

static bool is_missing(int result)
{
    return result == -ENODEV || result == -ENOENT || result == -ENXIO ||
           result == -EADDRNOTAVAIL;
}

/* The driver's sentence, without the name that most begin with. */
static const char *reason(const char *name, int result,
                          const struct aw_error *error)
{
    static const char word[] = "device ";
    const char *text = error->text;
    size_t length = strlen(name);

    if (strncmp(text, word, sizeof(word) - 1) == 0 &&
        strncmp(text + sizeof(word) - 1, name, length) == 0 &&
        strncmp(text + sizeof(word) - 1 + length, ": ", 2) == 0)
        text += sizeof(word) - 1 + length + 2;
    return *text ? text : strerror(-result);
}

/* A missing device is waited for if it may be, and if its driver knows what
 * queues of it need. */
static int open_or_wait(struct aw_device *device,
                        const struct aw_device_config *config,
                        struct aw_error *error)
{
    const struct aw_value *required = &config->common[AW_COMMON_REQUIRED];
    struct aw_reader *reader = &device->reader;
    struct aw_error unasked; /* what is waited for is told in any case */
    int result;

    if (!error)
        error = &unasked;
    error->text[0] = '\0';
    result = config->driver->open(&reader->link, device->values, error);
    if (result == 0) {
        result = aw_driver_check_link(config->driver, &reader->link, error);
        if (result < 0)
            config->driver->close(&reader->link);
        return result;
    }
    if (!is_missing(result) || !required->set || required->flag ||
        !config->driver->describe)
        return result;
    aw_log(AW_LOG_WARNING, "device %s is waited for: %s", device->name,
           reason(device->name, result, error));
    config->driver->describe(&reader->link, device->values);
    aw_reopen_init(reader, -result);
    return 0;
}

static int open_link(struct aw_device *device,
                     const struct aw_device_config *config,
                     struct aw_error *error)
{
    struct aw_reader *reader = &device->reader;
    double timeout_s = config->common[AW_COMMON_SEND_TIMEOUT].number;

    reader->driver = config->driver;
    reader->send_timeout_ns = (uint64_t)(timeout_s * 1e9);
    reader->send_depth = (uint32_t)config->common[AW_COMMON_SEND_DEPTH].integer;
    reader->link = (struct aw_link){
        .name = device->name,
        .fd = -1,
        .aux_fd = -1,
        .channels = &reader->channels,
    };
    reader->reopens =
        config->common[AW_COMMON_ON_LOSS].integer == AW_ON_LOSS_WAIT;
    if (copy_values(device, config) < 0)
        return aw_error_set(error, ENOMEM, "device %s: out of memory",
                            device->name);
    return open_or_wait(device, config, error);
}

/* A device that is away has been closed. */
static void close_link(struct aw_device *device)
{
    struct aw_reader *reader = &device->reader;

    if (reader->away)
        return;
    if (reader->driver->account)
        reader->driver->account(&reader->link, &device->account);
    reader->driver->close(&reader->link);
}

static int start_reader(struct aw_device *device,
                        const struct aw_device_config *config,
                        struct aw_error *error)
{
    struct aw_reader *reader = &device->reader;
    int result = aw_mailbox_init(&reader->mailbox);

    if (result < 0)
        return aw_error_set(error, -result,
                            "device %s: cannot make a mailbox: %s",
                            device->name, strerror(-result));
    result = aw_reader_start(reader, config);
    if (result < 0) {
        aw_mailbox_deinit(&reader->mailbox);
        return aw_error_set(error, -result,
                            "device %s: cannot start its reader: %s",
                            device->name, strerror(-result));
    }
    return 0;
}

int aw_device_open(const struct aw_device_config *config,
                   struct aw_device **ret_device, struct aw_error *error)
{
    struct aw_device *device =
        aligned_alloc(_Alignof(struct aw_device), sizeof(*device));
    int result;

    if (!device)
        return aw_error_set(error, ENOMEM, "device %s: out of memory",
                            config->name);
    memset(device, 0, sizeof(*device));
    snprintf(device->name, sizeof(device->name), "%s", config->name);
    device->mlock = config->common[AW_COMMON_MLOCK].flag;
    device->wakes_by_fd = config->common[AW_COMMON_WAKEUP].integer == 1;
    device->allow_block = config->common[AW_COMMON_ALLOW_BLOCK].flag;
    atomic_init(&device->references, 1);
    result = open_link(device, config, error);
    device->facts = device->reader.link;
    if (result == 0) {
        result = start_reader(device, config, error);
        if (result < 0)
            close_link(device);
    }
    if (result < 0) {
        free_values(device);
        free(device);
        return result;
    }
    pthread_mutex_init(&device->closing, NULL);
    aw_book_init(&device->book);
    *ret_device = device;
    return 0;
}

struct aw_device *aw_device_ref(struct aw_device *device)
{
    /* Relaxed: whoever calls this already holds a reference. */
    atomic_fetch_add_explicit(&device->references, 1, memory_order_relaxed);
    return device;
}

void aw_device_unref(struct aw_device *device)
{
    /* Acquire-release: all uses by others end before the last one frees. */
    if (!device || atomic_fetch_sub_explicit(&device->references, 1,
                                             memory_order_acq_rel) > 1)
        return;
    aw_device_close(device);
    aw_book_deinit(&device->book);
    pthread_mutex_destroy(&device->closing);
    aw_mailbox_deinit(&device->reader.mailbox);
    free(device->reader.batch.slots);
    free(device->reader.queues);
    free_values(device);
    free(device);
}

const char *aw_device_name(const struct aw_device *device)
{
    return device->name;
}

const struct aw_driver *aw_device_driver(const struct aw_device *device)
{
    return device->reader.driver;
}

enum aw_kind aw_device_kind(const struct aw_device *device)
{
    return device->facts.kind;
}

uint32_t aw_device_payload_bytes(const struct aw_device *device)
{
    return device->facts.payload_bytes;
}

bool aw_device_can_send(const struct aw_device *device)
{
    return device->facts.can_send;
}

bool aw_device_can_confirm(const struct aw_device *device)
{
    return device->facts.can_confirm;
}

uint32_t aw_device_send_depth(const struct aw_device *device)
{
    return device->reader.send_depth;
}

bool aw_device_wakes_by_fd(const struct aw_device *device)
{
    return device->wakes_by_fd;
}

enum aw_start aw_device_start(const struct aw_device *device)
{
    return device->facts.start;
}

void aw_device_status(const struct aw_device *device,
                      struct aw_link_status *ret_status)
{
    uint64_t words[AW_LEDGER_FIELDS] = {0};

    (void)aw_ledger_read(&device->reader.status_side, words);
    memcpy(ret_status, words, sizeof(*ret_status));
    if (aw_device_closed(device))
        ret_status->state = AW_LINK_CLOSED;
}

const char *aw_device_channel(const struct aw_device *device, uint16_t index)
{
    const struct aw_channels *channels = &device->reader.channels;

    /* Acquire: the name is complete before it is counted. Partner:
     * aw_channels_index(). */
    if (index >= atomic_load_explicit(&channels->count, memory_order_acquire))
        return "";
    return channels->names[index];
}

unsigned aw_device_next_number(struct aw_device *device)
{
    return atomic_fetch_add_explicit(&device->numbered, 1,
                                     memory_order_relaxed) +
           1;
}

static int ask(struct aw_device *device, enum aw_mail_kind kind,
               struct aw_queue *queue)
{
    struct aw_mail mail = {.kind = kind, .queue = queue};

    return aw_mailbox_ask(&device->reader.mailbox, &mail);
}

static void lock_memory(const struct aw_device *device,
                        const struct aw_queue *queue)
{
    const struct aw_latest *latest = &queue->latest;

    if (mlock(queue->ring.shared, queue->ring.mapped_bytes) == 0 &&
        (!latest->shared || mlock(latest->shared, latest->mapped_bytes) == 0))
        return;
    aw_log(AW_LOG_WARNING,
           "queue %s of device %s: mlock: %s "
           "(LimitMEMLOCK= would allow it, and the service's drop-in realtime "
           "has it)",
           queue->name, device->name, strerror(errno));
}

int aw_device_attach(struct aw_device *device, struct aw_queue *queue)
{
    int result = aw_book_enter(&device->book, queue, device->allow_block);

    if (result < 0)
        return result;
    if (device->mlock)
        lock_memory(device, queue);
    result = ask(device, AW_MAIL_ATTACH, queue);
    if (result < 0)
        aw_book_strike(&device->book, queue);
    return result;
}

void aw_device_detach(struct aw_device *device, struct aw_queue *queue)
{
    /* -ENODEV: it was not attached any more, which is what is wanted. */
    (void)ask(device, AW_MAIL_DETACH, queue);
}

int aw_device_replace(struct aw_device *device, struct aw_queue *old,
                      struct aw_queue *queue)
{
    struct aw_mail mail = {
        .kind = AW_MAIL_REPLACE, .queue = old, .successor = queue};
    int result = aw_book_permits(&device->book, queue, device->allow_block);

    if (result < 0)
        return result;
    if (device->mlock)
        lock_memory(device, queue);
    result = aw_mailbox_ask(&device->reader.mailbox, &mail);
    if (result == 0)
        aw_book_replace(&device->book, old, queue);
    return result;
}

void aw_device_retire(struct aw_device *device, struct aw_queue *queue)
{
    aw_device_detach(device, queue);
    aw_queue_abandon(queue);
    aw_book_retire(&device->book, queue);
}

int aw_device_set_filters(struct aw_device *device, struct aw_queue *queue,
                          const struct aw_filter *filters, size_t count)
{
    struct aw_mail mail = {
        .kind = AW_MAIL_SET_FILTERS, .queue = queue, .filter_count = count};
    int result;

    if (count > AW_FILTERS_MAX)
        return -EINVAL;
    mail.filters = calloc(count ? count : 1, sizeof(*filters));
    if (!mail.filters)
        return -ENOMEM;
    if (count > 0)
        memcpy(mail.filters, filters, count * sizeof(*filters));
    result = aw_mailbox_ask(&device->reader.mailbox, &mail);
    if (result < 0)
        free(mail.filters);
    return result;
}

void aw_device_sync(struct aw_device *device)
{
    (void)ask(device, AW_MAIL_SYNC, NULL);
}

/* Makes room for `count` frames among those under way. Relaxed: the count
 * guards no memory. Partner: tell() in sender.c. */
static int admit(struct aw_device *device, uint32_t count)
{
    _Atomic(uint32_t) *counter = &device->reader.sends_under_way;
    uint32_t before = atomic_load_explicit(counter, memory_order_relaxed);

    do {
        if (count > device->reader.send_depth ||
            before > device->reader.send_depth - count)
            return -ENOBUFS;
    } while (!atomic_compare_exchange_weak_explicit(
        counter, &before, before + count, memory_order_relaxed,
        memory_order_relaxed));
    return 0;
}

static bool can_take(const struct aw_device *device, const struct aw_send *send)
{
    return device->facts.can_send &&
           (!send->confirm || device->facts.can_confirm);
}

int aw_device_send_list(struct aw_device *device, struct aw_send *oldest)
{
    uint32_t count = 0;
    int result;

    for (const struct aw_send *send = oldest; send; send = send->next) {
        if (!can_take(device, send))
            return -EOPNOTSUPP;
        count++;
    }
    result = admit(device, count);
    if (result < 0)
        return result;
    result = aw_mailbox_send(&device->reader.mailbox, oldest);
    if (result < 0)
        atomic_fetch_sub_explicit(&device->reader.sends_under_way, count,
                                  memory_order_relaxed);
    return result;
}

int aw_device_send(struct aw_device *device, struct aw_send *send)
{
    send->next = NULL;
    return aw_device_send_list(device, send);
}

void aw_device_withdrawn(struct aw_device *device)
{
    /* Release: the marks in the frames. Partner: note_withdrawals() in
     * sender.c. */
    atomic_store_explicit(&device->reader.withdrawals, true,
                          memory_order_release);
    aw_eventfd_ring(device->reader.mailbox.fd);
}

int aw_device_control(struct aw_device *device, uint32_t request,
                      void *argument)
{
    struct aw_mail mail = {
        .kind = AW_MAIL_CONTROL,
        .request = request,
        .argument = argument,
    };

    return aw_mailbox_ask(&device->reader.mailbox, &mail);
}

void aw_device_ping(struct aw_device *device)
{
    aw_eventfd_ring(device->reader.mailbox.fd);
}

uint32_t aw_device_turns(const struct aw_device *device)
{
    /* Relaxed: it guards nothing. Partner:
     * aw_reader_count_turn(). */
    return atomic_load_explicit(&device->reader.turns, memory_order_relaxed);
}

void aw_device_release(struct aw_device *device)
{
    (void)ask(device, AW_MAIL_RELEASE, NULL);
}

void aw_device_close(struct aw_device *device)
{
    pthread_mutex_lock(&device->closing);
    if (!atomic_load_explicit(&device->closed, memory_order_relaxed)) {
        (void)ask(device, AW_MAIL_STOP, NULL);
        pthread_join(device->reader.thread, NULL);
        close_link(device);
        atomic_store_explicit(&device->closed, true, memory_order_release);
    }
    pthread_mutex_unlock(&device->closing);
}

bool aw_device_closed(const struct aw_device *device)
{
    return atomic_load_explicit(&device->closed, memory_order_acquire);
}

bool aw_device_source_account(const struct aw_device *device,
                              struct aw_source_account *ret_account)
{
    if (!device->reader.driver->account || !aw_device_closed(device))
        return false;
    *ret_account = device->account;
    return true;
}

void aw_device_send_stats(const struct aw_device *device,
                          struct aw_send_stats *ret_stats)
{
    uint64_t fields[AW_LEDGER_FIELDS] = {0};

    (void)aw_ledger_read(&device->reader.send_ledger, fields);
    *ret_stats = (struct aw_send_stats){
        .submitted = fields[0],
        .sent = fields[1],
        .expired = fields[2],
        .timed_out = fields[3],
        .failed = fields[4],
        .pending = fields[5],
    };
}

int aw_device_reports(struct aw_device *device,
                      struct aw_queue_report **ret_reports)
{
    return aw_book_reports(&device->book, ret_reports);
}
