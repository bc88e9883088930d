#include "devices/ledger_book.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/queue/queue_latency.h"

/* Retired queues that keep a line of their own. */
#define RETIRED_MAX 256

void aw_book_init(struct aw_ledger_book *book)
{
    *book = (struct aw_ledger_book){.earlier.name = "(earlier)"};
    pthread_mutex_init(&book->lock, NULL);
}

void aw_book_deinit(struct aw_ledger_book *book)
{
    for (size_t i = 0; i < book->count; i++)
        aw_queue_unref(book->entries[i].queue);
    free(book->entries);
    pthread_mutex_destroy(&book->lock);
}

static int reserve_entry(struct aw_ledger_book *book)
{
    size_t capacity = book->capacity ? book->capacity * 2 : 8;
    struct aw_book_entry *entries;

    if (book->count < book->capacity)
        return 0;
    entries = realloc(book->entries, capacity * sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    book->entries = entries;
    book->capacity = capacity;
    return 0;
}

static bool name_in_use(const struct aw_ledger_book *book,
                        const struct aw_queue *queue)
{
    for (size_t i = 0; i < book->count; i++) {
        const struct aw_queue *other = book->entries[i].queue;

        if (other && aw_queue_state(other) == AW_QUEUE_OPEN &&
            strcmp(other->name, queue->name) == 0 &&
            strcmp(other->owner, queue->owner) == 0)
            return true;
    }
    return false;
}

/* Would one owner's queue hold up another's? */
static bool would_block(const struct aw_ledger_book *book,
                        const struct aw_queue *queue)
{
    for (size_t i = 0; i < book->count; i++) {
        const struct aw_queue *other = book->entries[i].queue;

        if (other && !other->observer &&
            aw_queue_state(other) == AW_QUEUE_OPEN &&
            strcmp(other->owner, queue->owner) != 0 &&
            (other->overflow == AW_OVERFLOW_BLOCK ||
             queue->overflow == AW_OVERFLOW_BLOCK))
            return true;
    }
    return false;
}

static int admit(struct aw_ledger_book *book, const struct aw_queue *queue,
                 bool allow_block)
{
    if (name_in_use(book, queue))
        return -EEXIST;
    if (!allow_block && !queue->observer && would_block(book, queue))
        return -EPERM;
    return reserve_entry(book);
}

/* What its policy is, which another queue in its place may change. */
static void describe(struct aw_book_entry *entry)
{
    entry->report.observer = entry->queue->observer;
    entry->report.overflow = entry->queue->overflow;
    entry->report.depth = aw_queue_depth(entry->queue);
}

int aw_book_enter(struct aw_ledger_book *book, struct aw_queue *queue,
                  bool allow_block)
{
    int result;

    pthread_mutex_lock(&book->lock);
    result = admit(book, queue, allow_block);
    if (result == 0) {
        struct aw_book_entry *entry = &book->entries[book->count++];

        memset(entry, 0, sizeof(*entry));
        entry->queue = aw_queue_ref(queue);
        memcpy(entry->report.name, queue->name, sizeof(queue->name));
        memcpy(entry->report.owner, queue->owner, sizeof(queue->owner));
        describe(entry);
    }
    pthread_mutex_unlock(&book->lock);
    return result;
}

static struct aw_book_entry *find(struct aw_ledger_book *book,
                                  const struct aw_queue *queue)
{
    for (size_t i = 0; i < book->count; i++) {
        if (book->entries[i].queue == queue)
            return &book->entries[i];
    }
    return NULL;
}

int aw_book_permits(struct aw_ledger_book *book, struct aw_queue *queue,
                    bool allow_block)
{
    int result = 0;

    pthread_mutex_lock(&book->lock);
    if (!allow_block && would_block(book, queue))
        result = -EPERM;
    pthread_mutex_unlock(&book->lock);
    return result;
}

void aw_book_replace(struct aw_ledger_book *book, struct aw_queue *old,
                     struct aw_queue *queue)
{
    struct aw_book_entry *entry;

    pthread_mutex_lock(&book->lock);
    entry = find(book, old);
    if (entry) {
        entry->queue = aw_queue_ref(queue);
        describe(entry);
    }
    pthread_mutex_unlock(&book->lock);
    if (entry)
        aw_queue_unref(old);
}

static void remove_entry(struct aw_ledger_book *book,
                         struct aw_book_entry *entry)
{
    size_t behind = book->count - (size_t)(entry - book->entries) - 1;

    memmove(entry, entry + 1, behind * sizeof(*entry));
    book->count--;
}

static void add_stats(struct aw_stats *sum, const struct aw_stats *stats)
{
    sum->received += stats->received;
    sum->filtered += stats->filtered;
    sum->delivered += stats->delivered;
    sum->pending += stats->pending;
    sum->dropped_kernel += stats->dropped_kernel;
    sum->dropped_overflow += stats->dropped_overflow;
    sum->dropped_cleared += stats->dropped_cleared;
    sum->dropped_closed += stats->dropped_closed;
    sum->wakes += stats->wakes;
    sum->stalls += stats->stalls;
    sum->stalled_ns += stats->stalled_ns;
    if (sum->high_water < stats->high_water)
        sum->high_water = stats->high_water;
}

/* The oldest retired line goes into the sum, so that the book stays bounded. */
static void fold_oldest(struct aw_ledger_book *book)
{
    struct aw_book_entry *oldest = book->entries;

    while (oldest->queue)
        oldest++;
    add_stats(&book->earlier.stats, &oldest->report.stats);
    for (int i = 0; i < AW_LATENCY_STAGES; i++)
        aw_latency_merge(&book->earlier.latency[i], &oldest->report.latency[i]);
    book->folded = true;
    remove_entry(book, oldest);
    book->retired--;
}

/* Brings a line up to date; where its queue is too busy for a snapshot, it
 * keeps what it said last. */
static void refresh(struct aw_book_entry *entry)
{
    if (!entry->queue)
        return;
    entry->report.open = aw_queue_state(entry->queue) == AW_QUEUE_OPEN;
    (void)aw_queue_stats(entry->queue, &entry->report.stats);
    aw_queue_latency(entry->queue, entry->report.latency);
}

/* An observer leaves no line behind. */
static void close_entry(struct aw_ledger_book *book,
                        struct aw_book_entry *entry)
{
    if (entry->queue->observer) {
        remove_entry(book, entry);
        return;
    }
    refresh(entry);
    entry->report.open = false;
    entry->queue = NULL;
    if (++book->retired > RETIRED_MAX)
        fold_oldest(book);
}

bool aw_book_retire(struct aw_ledger_book *book, struct aw_queue *queue)
{
    struct aw_book_entry *entry;

    pthread_mutex_lock(&book->lock);
    entry = find(book, queue);
    if (entry)
        close_entry(book, entry);
    pthread_mutex_unlock(&book->lock);
    if (entry)
        aw_queue_unref(queue);
    return entry != NULL;
}

void aw_book_strike(struct aw_ledger_book *book, struct aw_queue *queue)
{
    struct aw_book_entry *entry;

    pthread_mutex_lock(&book->lock);
    entry = find(book, queue);
    if (entry)
        remove_entry(book, entry);
    pthread_mutex_unlock(&book->lock);
    if (entry)
        aw_queue_unref(queue);
}

static size_t fill_reports(struct aw_ledger_book *book,
                           struct aw_queue_report *reports)
{
    size_t count = 0;

    if (book->folded)
        reports[count++] = book->earlier;
    for (size_t i = 0; i < book->count; i++) {
        refresh(&book->entries[i]);
        reports[count++] = book->entries[i].report;
    }
    return count;
}

int aw_book_reports(struct aw_ledger_book *book,
                    struct aw_queue_report **ret_reports)
{
    struct aw_queue_report *reports;
    size_t count = 0;

    pthread_mutex_lock(&book->lock);
    reports = calloc(book->count + 1, sizeof(*reports));
    if (reports)
        count = fill_reports(book, reports);
    pthread_mutex_unlock(&book->lock);
    if (!reports)
        return -ENOMEM;
    *ret_reports = reports;
    return (int)count;
}
