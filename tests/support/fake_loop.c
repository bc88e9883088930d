#include "tests/support/fake_loop.h"

#include <ev.h>
#include <math.h>

#include "daemon/span_clock.h"
#include "tests/support/unit.h"

#define TIMERS_MAX 64

static double now_s;
static ev_timer *timers[TIMERS_MAX]; /* `at` is absolute while they run */
static size_t timer_count;

struct ev_loop *fake_loop_new(void)
{
    now_s = 0;
    timer_count = 0;
    return (struct ev_loop *)(void *)&now_s;
}

double aw_span_clock_s(void)
{
    return now_s;
}

void ev_now_update(struct ev_loop *loop) EV_NOEXCEPT
{
    (void)loop;
}

void ev_timer_start(struct ev_loop *loop, ev_timer *timer) EV_NOEXCEPT
{
    (void)loop;
    assert_int_equal(timer->active, 0);
    assert_true(timer_count < TIMERS_MAX);
    timer->active = 1;
    timer->at += now_s;
    timers[timer_count++] = timer;
}

void ev_timer_stop(struct ev_loop *loop, ev_timer *timer) EV_NOEXCEPT
{
    size_t i = 0;

    (void)loop;
    if (!timer->active)
        return;
    while (timers[i] != timer)
        i++;
    timers[i] = timers[--timer_count];
    timer->active = 0;
    timer->at -= now_s;
}

ev_tstamp ev_timer_remaining(struct ev_loop *loop, ev_timer *timer) EV_NOEXCEPT
{
    (void)loop;
    return timer->at - (timer->active ? now_s : 0);
}

static ev_timer *first_due(double end_s)
{
    ev_timer *first = NULL;

    for (size_t i = 0; i < timer_count; i++) {
        assert_int_equal(timers[i]->active, 1); /* libev would spin */
        if (timers[i]->at <= end_s && (!first || timers[i]->at < first->at))
            first = timers[i];
    }
    return first;
}

size_t fake_loop_timers(void)
{
    return timer_count;
}

void fake_loop_advance(double seconds)
{
    double end_s = now_s + seconds;
    ev_timer *due;

    while ((due = first_due(end_s)) != NULL) {
        now_s = fmax(now_s, due->at);
        ev_timer_stop(NULL, due);
        due->cb(NULL, due, EV_TIMER);
    }
    now_s = end_s;
}
