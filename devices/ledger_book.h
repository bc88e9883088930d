/* The ledger book: every queue that a device has or had, for the report.
 *
 * A queue in use is entered by reference and read when asked; a retired one by
 * its final figures. Guarded by a mutex of its own, which no reader takes. */
#ifndef AW_LEDGER_BOOK_H
#define AW_LEDGER_BOOK_H

#include <pthread.h>

#include "devices/device.h"

struct aw_book_entry {
    struct aw_queue *queue; /* a reference; NULL once retired */
    struct aw_queue_report report;
};

struct aw_ledger_book {
    pthread_mutex_t lock;
    struct aw_book_entry *entries; /* oldest first */
    size_t count, capacity;
    size_t retired;                 /* of these entries */
    bool folded;                    /* there is something in `earlier` */
    struct aw_queue_report earlier; /* the sum of older ones */
};

void aw_book_init(struct aw_ledger_book *book);
void aw_book_deinit(struct aw_ledger_book *book);

/* Enters a queue. Returns 0, -EEXIST (its owner has an open one of that name),
 * -EPERM (one of two owners' queues would hold up the other's: the policy
 * `block`, and not `allow_block`; an observer minds none) or -ENOMEM. All functions: any thread. */
int aw_book_enter(struct aw_ledger_book *book, struct aw_queue *queue,
                  bool allow_block);

/* May it be in the book beside the other owners' queues? 0 or -EPERM, as
 * above. */
int aw_book_permits(struct aw_ledger_book *book, struct aw_queue *queue,
                    bool allow_block);

/* The line of `old` is that of `queue` from now on. */
void aw_book_replace(struct aw_ledger_book *book, struct aw_queue *old,
                     struct aw_queue *queue);

/* Replaces the reference by the final figures, or takes an observer out
 * altogether; false if it was not there. The
 * caller keeps a reference of its own. */
bool aw_book_retire(struct aw_ledger_book *book, struct aw_queue *queue);

/* Takes a queue out again that never was attached. */
void aw_book_strike(struct aw_ledger_book *book, struct aw_queue *queue);

/* See aw_device_reports(). */
int aw_book_reports(struct aw_ledger_book *book,
                    struct aw_queue_report **ret_reports);

#endif
