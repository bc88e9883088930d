/* The mailbox: what other threads ask of a reader.
 *
 * Two lock-free stacks, one for requests that are answered at once and one for
 * frames to send, and a bell that the reader polls beside its device. Posting
 * never blocks; the reader takes a whole stack and turns it round, so that mail
 * is served in the order it was posted. A request carries all it needs, so that
 * it can one day come over a socket from another process. */
#ifndef AW_MAILBOX_H
#define AW_MAILBOX_H

#include <semaphore.h>
#include <stdatomic.h>

#include "devices/device.h"

enum aw_mail_kind {
    AW_MAIL_ATTACH,
    AW_MAIL_DETACH,
    AW_MAIL_SET_FILTERS,
    AW_MAIL_REPLACE,
    AW_MAIL_SYNC,
    AW_MAIL_CONTROL,
    AW_MAIL_RELEASE,
    AW_MAIL_STOP,
};

/* A request. Lives on the stack of the thread that waits for the answer. */
struct aw_mail {
    struct aw_mail *next;
    enum aw_mail_kind kind;
    struct aw_queue *queue;     /* ATTACH, DETACH, SET_FILTERS, REPLACE */
    struct aw_queue *successor; /* REPLACE: takes its place */
    struct aw_filter *filters;  /* SET_FILTERS: handed over if result is 0 */
    size_t filter_count;
    uint32_t request; /* CONTROL */
    void *argument;
    int result;
    sem_t answered;
};

struct aw_mailbox {
    _Atomic(struct aw_mail *) mails;
    _Atomic(struct aw_send *) sends;
    int fd; /* the bell, an eventfd */
};

/* Returns 0 or a negative errno. */
int aw_mailbox_init(struct aw_mailbox *mailbox);
void aw_mailbox_deinit(struct aw_mailbox *mailbox);

/* Posts `mail` and waits for the reader's answer. Returns mail->result, or
 * -ENODEV when the mailbox is closed. Any thread but the reader. */
int aw_mailbox_ask(struct aw_mailbox *mailbox, struct aw_mail *mail);

/* Hands a list of frames, oldest first, to the reader, which now owns them.
 * Returns 0, or -ENODEV when the mailbox is closed: then the list is the
 * caller's, and as it was. Any thread; never blocks. */
int aw_mailbox_send(struct aw_mailbox *mailbox, struct aw_send *oldest);

/* What was posted since, oldest first; NULL once closed. Requests are to be
 * taken before sends: then everything that was sent before a request is among
 * the sends. */
struct aw_mail *aw_mailbox_take_mails(struct aw_mailbox *mailbox) AW_ON(reader);
struct aw_send *aw_mailbox_take_sends(struct aw_mailbox *mailbox) AW_ON(reader);

/* The same, and from now on posting fails: for good. */
struct aw_mail *aw_mailbox_close_mails(struct aw_mailbox *mailbox)
    AW_ON(reader);
struct aw_send *aw_mailbox_close_sends(struct aw_mailbox *mailbox)
    AW_ON(reader);

/* Lets the asking thread go on; `mail` is gone after this. */
void aw_mail_answer(struct aw_mail *mail, int result);

#endif
