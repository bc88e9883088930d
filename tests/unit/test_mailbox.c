#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "devices/mailbox.h"
#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"
#include "tests/support/unit.h"

#define THREADS     4
#define PER_THREAD  500
#define DEADLINE_NS (10 * (int64_t)AW_NS_PER_S)

/* ---- the reader's side, wrapped so that the role check knows it ---- */

static struct aw_mail *take_mails(struct aw_mailbox *mailbox)
{
    aw_role_assume(&aw_role_reader);
    return aw_mailbox_take_mails(mailbox);
}

static struct aw_send *take_sends(struct aw_mailbox *mailbox)
{
    aw_role_assume(&aw_role_reader);
    return aw_mailbox_take_sends(mailbox);
}

static struct aw_mail *close_mails(struct aw_mailbox *mailbox)
{
    aw_role_assume(&aw_role_reader);
    return aw_mailbox_close_mails(mailbox);
}

static struct aw_send *close_sends(struct aw_mailbox *mailbox)
{
    aw_role_assume(&aw_role_reader);
    return aw_mailbox_close_sends(mailbox);
}

static uint32_t answer_all(struct aw_mail *mail, int result)
{
    uint32_t count = 0;

    for (; mail; count++) {
        struct aw_mail *next = mail->next;

        aw_mail_answer(mail, result);
        mail = next;
    }
    return count;
}

/* ---- a mailbox for each test ---- */

static int set_up(void **state)
{
    static struct aw_mailbox mailbox;

    *state = &mailbox;
    return aw_mailbox_init(&mailbox);
}

static int tear_down(void **state)
{
    aw_mailbox_deinit(*state);
    return 0;
}

/* ---- frames to send ---- */

static void test_mailbox_new_is_empty_and_silent(void **state)
{
    struct aw_mailbox *mailbox = *state;

    assert_false(aw_eventfd_clear(mailbox->fd));
    assert_null(take_mails(mailbox));
    assert_null(take_sends(mailbox));
}

static void test_mailbox_send_rings_the_bell(void **state)
{
    struct aw_mailbox *mailbox = *state;
    struct aw_send send = {.next = NULL};

    assert_int_equal(aw_mailbox_send(mailbox, &send), 0);
    assert_true(aw_eventfd_clear(mailbox->fd));
}

static void test_mailbox_sends_are_taken_oldest_first(void **state)
{
    struct aw_mailbox *mailbox = *state;
    struct aw_send sends[3] = {{.next = NULL}};

    for (int i = 0; i < 3; i++)
        assert_int_equal(aw_mailbox_send(mailbox, &sends[i]), 0);
    assert_ptr_equal(take_sends(mailbox), &sends[0]);
    assert_ptr_equal(sends[0].next, &sends[1]);
    assert_ptr_equal(sends[1].next, &sends[2]);
    assert_null(sends[2].next);
}

static void test_mailbox_sends_are_taken_once(void **state)
{
    struct aw_mailbox *mailbox = *state;
    struct aw_send send = {.next = NULL};

    assert_int_equal(aw_mailbox_send(mailbox, &send), 0);
    assert_ptr_equal(take_sends(mailbox), &send);
    assert_null(take_sends(mailbox));
}

static void test_mailbox_close_returns_what_was_sent_before(void **state)
{
    struct aw_mailbox *mailbox = *state;
    struct aw_send send = {.next = NULL};

    assert_int_equal(aw_mailbox_send(mailbox, &send), 0);
    assert_ptr_equal(close_sends(mailbox), &send);
    assert_null(send.next);
}

static void test_mailbox_closed_refuses_sends(void **state)
{
    struct aw_mailbox *mailbox = *state;
    struct aw_send send = {.next = NULL};

    assert_null(close_sends(mailbox));
    assert_int_equal(aw_mailbox_send(mailbox, &send), -ENODEV);
    assert_false(aw_eventfd_clear(mailbox->fd));
}

/* Failed before take left the mark of a closed mailbox alone: it opened it. */
static void test_mailbox_closed_stays_closed_when_taken_from(void **state)
{
    struct aw_mailbox *mailbox = *state;
    struct aw_send send = {.next = NULL};

    assert_null(close_sends(mailbox));
    assert_null(take_sends(mailbox));
    assert_int_equal(aw_mailbox_send(mailbox, &send), -ENODEV);
}

static void test_mailbox_closed_twice_returns_nothing(void **state)
{
    struct aw_mailbox *mailbox = *state;

    assert_null(close_sends(mailbox));
    assert_null(close_sends(mailbox));
    assert_null(close_mails(mailbox));
    assert_null(close_mails(mailbox));
}

static void test_mailbox_closed_for_sends_still_takes_requests(void **state)
{
    struct aw_mailbox *mailbox = *state;

    assert_null(close_sends(mailbox));
    assert_null(take_mails(mailbox));
    assert_null(close_mails(mailbox));
}

/* ---- requests ---- */

/* Another thread that asks; the test's own thread is the reader. */
struct asker {
    struct aw_mailbox *mailbox;
    struct aw_mail mail;
    int result;
    pthread_t thread;
};

static void *ask(void *argument)
{
    struct asker *asker = argument;

    asker->result = aw_mailbox_ask(asker->mailbox, &asker->mail);
    return NULL;
}

static void start_asker(struct asker *asker, struct aw_mailbox *mailbox)
{
    *asker = (struct asker){.mailbox = mailbox, .mail.kind = AW_MAIL_SYNC};
    assert_int_equal(pthread_create(&asker->thread, NULL, ask, asker), 0);
}

static void wait_for_mail(struct aw_mailbox *mailbox)
{
    assert_int_equal(aw_eventfd_wait(mailbox->fd, DEADLINE_NS), 1);
    aw_eventfd_clear(mailbox->fd);
}

static void test_mailbox_ask_returns_the_answer(void **state)
{
    struct aw_mailbox *mailbox = *state;
    struct asker asker;
    struct aw_mail *mail;

    start_asker(&asker, mailbox);
    wait_for_mail(mailbox);
    mail = take_mails(mailbox);
    assert_ptr_equal(mail, &asker.mail);
    assert_int_equal(mail->kind, AW_MAIL_SYNC);
    aw_mail_answer(mail, -EEXIST);
    pthread_join(asker.thread, NULL);
    assert_int_equal(asker.result, -EEXIST);
}

static void test_mailbox_ask_closed_returns_enodev_at_once(void **state)
{
    struct aw_mailbox *mailbox = *state;
    struct aw_mail mail = {.kind = AW_MAIL_SYNC};

    assert_null(close_mails(mailbox));
    assert_int_equal(aw_mailbox_ask(mailbox, &mail), -ENODEV);
}

static void test_mailbox_ask_just_before_close_is_handed_over(void **state)
{
    struct aw_mailbox *mailbox = *state;
    struct asker asker;

    start_asker(&asker, mailbox);
    wait_for_mail(mailbox);
    assert_int_equal(answer_all(close_mails(mailbox), -ENODEV), 1);
    pthread_join(asker.thread, NULL);
    assert_int_equal(asker.result, -ENODEV);
}

static void on_signal(int number)
{
    (void)number;
}

static void test_mailbox_ask_interrupted_by_signals_waits_on(void **state)
{
    struct aw_mailbox *mailbox = *state;
    struct sigaction action = {.sa_handler = on_signal}, before;
    struct asker asker;

    sigaction(SIGUSR1, &action, &before);
    start_asker(&asker, mailbox);
    wait_for_mail(mailbox);
    for (int i = 0; i < 10; i++)
        assert_int_equal(pthread_kill(asker.thread, SIGUSR1), 0);
    assert_int_equal(answer_all(take_mails(mailbox), 7), 1);
    pthread_join(asker.thread, NULL);
    sigaction(SIGUSR1, &before, NULL);
    assert_int_equal(asker.result, 7);
}

/* ---- many threads ---- */

struct poster {
    struct aw_mailbox *mailbox;
    struct aw_send sends[PER_THREAD];
    uint32_t accepted, answered, refused;
    pthread_t thread;
};

/* Each frame is sent before a request, so that the reader must find it there
 * when it finds the request. */
static void *post(void *argument)
{
    struct poster *poster = argument;

    for (uint32_t i = 0; i < PER_THREAD; i++) {
        struct aw_mail mail = {.kind = AW_MAIL_SYNC};

        if (aw_mailbox_send(poster->mailbox, &poster->sends[i]) == 0)
            poster->accepted++;
        if (aw_mailbox_ask(poster->mailbox, &mail) == 1)
            poster->answered++;
        else
            poster->refused++;
    }
    return NULL;
}

static uint32_t count_sends(const struct aw_send *send)
{
    uint32_t count = 0;

    for (; send; send = send->next)
        count++;
    return count;
}

struct tally {
    uint32_t mails, sends;
};

/* Serves until `limit` requests have been answered. */
static struct tally serve(struct aw_mailbox *mailbox, uint32_t limit)
{
    struct tally tally = {0, 0};

    while (tally.mails < limit) {
        struct aw_mail *mails;

        wait_for_mail(mailbox);
        mails = take_mails(mailbox);
        tally.sends += count_sends(take_sends(mailbox));
        tally.mails += answer_all(mails, 1);
        assert_true(tally.sends >= tally.mails);
    }
    return tally;
}

static struct poster *start_posters(struct aw_mailbox *mailbox)
{
    struct poster *posters = calloc(THREADS, sizeof(*posters));

    assert_non_null(posters);
    for (int i = 0; i < THREADS; i++) {
        posters[i].mailbox = mailbox;
        assert_int_equal(
            pthread_create(&posters[i].thread, NULL, post, &posters[i]), 0);
    }
    return posters;
}

/* Joins them and adds up what they saw. */
static struct poster join_posters(struct poster *posters)
{
    struct poster sum = {.mailbox = NULL};

    for (int i = 0; i < THREADS; i++) {
        pthread_join(posters[i].thread, NULL);
        sum.accepted += posters[i].accepted;
        sum.answered += posters[i].answered;
        sum.refused += posters[i].refused;
    }
    free(posters);
    return sum;
}

static void test_mailbox_many_threads_lose_nothing(void **state)
{
    struct aw_mailbox *mailbox = *state;
    struct poster *posters = start_posters(mailbox);
    struct tally tally = serve(mailbox, THREADS * PER_THREAD);
    struct poster sum = join_posters(posters);

    assert_int_equal(tally.sends, THREADS * PER_THREAD);
    assert_int_equal(sum.accepted, THREADS * PER_THREAD);
    assert_int_equal(sum.answered, THREADS * PER_THREAD);
}

static void test_mailbox_closed_among_threads_answers_all(void **state)
{
    struct aw_mailbox *mailbox = *state;
    struct poster *posters = start_posters(mailbox);
    struct tally tally = serve(mailbox, THREADS * PER_THREAD / 2);
    uint32_t late = answer_all(close_mails(mailbox), -ENODEV);
    struct poster sum;

    tally.sends += count_sends(close_sends(mailbox));
    sum = join_posters(posters);
    assert_int_equal(sum.accepted, tally.sends);
    assert_int_equal(sum.answered, tally.mails);
    assert_int_equal(sum.answered + sum.refused, THREADS * PER_THREAD);
    assert_in_range(late, 0, THREADS);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_mailbox_new_is_empty_and_silent),
        TEST(test_mailbox_send_rings_the_bell),
        TEST(test_mailbox_sends_are_taken_oldest_first),
        TEST(test_mailbox_sends_are_taken_once),
        TEST(test_mailbox_close_returns_what_was_sent_before),
        TEST(test_mailbox_closed_refuses_sends),
        TEST(test_mailbox_closed_stays_closed_when_taken_from),
        TEST(test_mailbox_closed_twice_returns_nothing),
        TEST(test_mailbox_closed_for_sends_still_takes_requests),
        TEST(test_mailbox_ask_returns_the_answer),
        TEST(test_mailbox_ask_closed_returns_enodev_at_once),
        TEST(test_mailbox_ask_just_before_close_is_handed_over),
        TEST(test_mailbox_ask_interrupted_by_signals_waits_on),
        TEST(test_mailbox_many_threads_lose_nothing),
        TEST(test_mailbox_closed_among_threads_answers_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
