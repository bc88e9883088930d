#include "devices/mailbox.h"

#include <errno.h>

#include "devices/queue/eventfd.h"

/* Stand at the top of a closed stack. Their contents are never used. */
static struct aw_mail closed_mails;
static struct aw_send closed_sends;

int aw_mailbox_init(struct aw_mailbox *mailbox)
{
    int fd = aw_eventfd_new();

    if (fd < 0)
        return fd;
    atomic_init(&mailbox->mails, NULL);
    atomic_init(&mailbox->sends, NULL);
    mailbox->fd = fd;
    return 0;
}

void aw_mailbox_deinit(struct aw_mailbox *mailbox)
{
    aw_eventfd_close(mailbox->fd);
    mailbox->fd = -1;
}

/* In both posts: release on success, so that the message is complete before the
 * reader finds it. Partner: the exchange in the take functions. Acquire on the
 * way, so that whoever finds the mailbox closed finds the reader done with what
 * it did before: a queue is not touched any more. Partner: the exchange in the
 * close functions. */
static int post(struct aw_mailbox *mailbox, struct aw_mail *mail)
{
    struct aw_mail *top =
        atomic_load_explicit(&mailbox->mails, memory_order_acquire);

    do {
        if (top == &closed_mails)
            return -ENODEV;
        mail->next = top;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->mails, &top, mail,
                                                    memory_order_acq_rel,
                                                    memory_order_acquire));
    aw_eventfd_ring(mailbox->fd);
    return 0;
}

/* Turns a list round; returns its new head. */
static struct aw_send *turn_round(struct aw_send *send)
{
    struct aw_send *turned = NULL;

    while (send) {
        struct aw_send *next = send->next;

        send->next = turned;
        turned = send;
        send = next;
    }
    return turned;
}

/* The whole list goes onto the stack at once: its newest frame on top, and its
 * oldest on what was there. */
int aw_mailbox_send(struct aw_mailbox *mailbox, struct aw_send *oldest)
{
    struct aw_send *newest = turn_round(oldest);
    struct aw_send *top =
        atomic_load_explicit(&mailbox->sends, memory_order_acquire);

    do {
        if (top == &closed_sends) {
            oldest->next = NULL;
            turn_round(newest);
            return -ENODEV;
        }
        oldest->next = top;
    } while (!atomic_compare_exchange_weak_explicit(
        &mailbox->sends, &top, newest, memory_order_acq_rel,
        memory_order_acquire));
    aw_eventfd_ring(mailbox->fd);
    return 0;
}

int aw_mailbox_ask(struct aw_mailbox *mailbox, struct aw_mail *mail)
{
    int result;

    sem_init(&mail->answered, 0, 0);
    result = post(mailbox, mail);
    if (result == 0) {
        while (sem_wait(&mail->answered) < 0 && errno == EINTR)
            ;
        result = mail->result;
    }
    sem_destroy(&mail->answered);
    return result;
}

void aw_mail_answer(struct aw_mail *mail, int result)
{
    mail->result = result;
    sem_post(&mail->answered);
}

/* Puts `top` in place of the stack, unless that is closed, and turns what was
 * there round. Acquire and release: see post(). */
static struct aw_mail *swap_mails(struct aw_mailbox *mailbox,
                                  struct aw_mail *top)
{
    struct aw_mail *mail, *oldest = NULL;

    /* Relaxed: nobody but the reader, which we are, closes it. */
    if (atomic_load_explicit(&mailbox->mails, memory_order_relaxed) ==
        &closed_mails)
        return NULL;
    mail = atomic_exchange_explicit(&mailbox->mails, top, memory_order_acq_rel);
    while (mail) {
        struct aw_mail *next = mail->next;

        mail->next = oldest;
        oldest = mail;
        mail = next;
    }
    return oldest;
}

static struct aw_send *swap_sends(struct aw_mailbox *mailbox,
                                  struct aw_send *top)
{
    /* Relaxed: as in swap_mails(). */
    if (atomic_load_explicit(&mailbox->sends, memory_order_relaxed) ==
        &closed_sends)
        return NULL;
    return turn_round(
        atomic_exchange_explicit(&mailbox->sends, top, memory_order_acq_rel));
}

struct aw_mail *aw_mailbox_take_mails(struct aw_mailbox *mailbox)
{
    return swap_mails(mailbox, NULL);
}

struct aw_send *aw_mailbox_take_sends(struct aw_mailbox *mailbox)
{
    return swap_sends(mailbox, NULL);
}

struct aw_mail *aw_mailbox_close_mails(struct aw_mailbox *mailbox)
{
    return swap_mails(mailbox, &closed_mails);
}

struct aw_send *aw_mailbox_close_sends(struct aw_mailbox *mailbox)
{
    return swap_sends(mailbox, &closed_sends);
}
