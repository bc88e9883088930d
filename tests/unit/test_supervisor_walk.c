/* A script's life at random, many times over: whoever asks for whatever, each
 * version ends when it likes, and time goes on. After each step, and once all
 * has come to rest, what has to hold always must hold. The number of a walk is
 * its seed. */
#include <stdio.h>

#include "daemon/supervisor_state.h"
#include "tests/support/supervisor_rig.h"

#define WALKS    50000
#define STEPS    40
#define VERSIONS 200
#define ASKS     400

/* What the host would know of a generation. */
struct version {
    bool alive, candidate, held, admitted, settled, asked, discarded;
    int why; /* it was asked for this */
};

static struct {
    unsigned number;
    struct aw_supervision policy;
    struct version versions[VERSIONS]; /* by generation */
    uint64_t newest;
    bool left; /* queues, for the next version */
    unsigned asked, answered;
    bool is_answered[ASKS];
    unsigned idle;   /* how often it was told, at the last check */
    unsigned nested; /* asks out of answers that are still allowed */
    bool nests;      /* there were any from the start */
    bool ending;
} walk;

static const struct aw_host_script script_a = {.name = "a", .path = "a.py"};

static unsigned pick(unsigned count)
{
    return (unsigned)rand() % count;
}

/* ---- what the host does ---- */

static struct version *version(uint64_t generation)
{
    assert_in_range(generation, 1, VERSIONS - 1);
    return &walk.versions[generation];
}

/* May it receive and send? */
static bool is_current(const struct version *one)
{
    return one->alive && one->admitted;
}

static unsigned current_count(void)
{
    unsigned count = 0;

    for (uint64_t i = 1; i <= walk.newest; i++)
        count += is_current(version(i));
    return count;
}

static void begin(const struct call *call)
{
    struct version *one = version(call->generation);
    bool candidate =
        call->how == AW_HOST_RELOAD || call->how == AW_HOST_RELOAD_CHANGED;

    assert_false(walk.ending);
    assert_int_equal(call->generation, walk.newest + 1);
    assert_true(candidate || current_count() == 0);
    walk.newest = call->generation;
    *one = (struct version){.alive = true,
                            .candidate = candidate,
                            .admitted = !candidate,
                            .settled = !candidate};
}

static void admit(struct version *one)
{
    assert_true(one->candidate && one->held && !one->discarded);
    assert_int_equal(current_count(), 0);
    one->admitted = true;
}

static void drop(uint64_t generation)
{
    if (generation != 0 && !version(generation)->alive)
        return;
    if (generation != 0)
        version(generation)->settled = true;
    walk.left = false;
}

static void do_call(const struct call *call)
{
    switch (call->kind) {
    case CALL_START:
        begin(call);
        break;
    case CALL_ADMIT:
        admit(version(call->generation));
        break;
    case CALL_DISCARD:
        version(call->generation)->discarded = true;
        break;
    case CALL_CANCEL:
        version(call->generation)->asked = true;
        version(call->generation)->why = call->how;
        break;
    case CALL_TELL:
        assert_true(version(call->generation)->asked);
        version(call->generation)->why = call->how;
        break;
    case CALL_DROP:
    case CALL_REMOVE:
        drop(call->generation);
        break;
    case CALL_CONFIGURE:
    case CALL_DUMP:
        break;
    }
}

/* Does what was asked for since the last time. */
static void obey(void)
{
    for (size_t i = 0; i < rig.call_count; i++)
        do_call(&rig.calls[i]);
    rig.call_count = 0;
}

/* As HostedScript.leaves(). */
static bool leaves(const struct version *one, int status)
{
    if (!one->admitted || one->discarded)
        return false;
    if (one->asked)
        return one->why != AW_HOST_WHY_STOP;
    if (status != 0)
        return walk.policy.restart != AW_RESTART_NO || !one->settled;
    return walk.policy.restart == AW_RESTART_ALWAYS;
}

static void end(uint64_t generation, bool unchanged)
{
    struct version *one = version(generation);
    bool cancelled = unchanged || (one->asked && pick(4) != 0);
    int status = cancelled ? 0 : (int)pick(2);

    one->alive = false;
    walk.left = walk.left || leaves(one, status);
    rig_event((struct aw_host_event){
        .kind = AW_HOST_SCRIPT_ENDED,
        .generation = generation,
        .status = status,
        .cancelled = cancelled || one->discarded,
        .unchanged = unchanged,
    });
}

static void hold(uint64_t generation)
{
    version(generation)->held = true;
    rig_held(generation);
}

/* Something happens to one that lives. */
static void happen(void)
{
    uint64_t generation = 1 + pick((unsigned)walk.newest);
    struct version *one;

    while (generation < walk.newest && !version(generation)->alive)
        generation++;
    one = version(generation);
    if (!one->alive)
        return;
    if (!one->candidate || one->admitted || one->discarded)
        end(generation, false);
    else if (!one->held && pick(3) == 0)
        end(generation, pick(2) == 0);
    else if (!one->held)
        hold(generation);
    else if (pick(5) == 0) /* by a thread that it left at its hold */
        end(generation, false);
}

/* ---- who asks ---- */

static void ask(unsigned kinds) AW_ON(main) AW_NO_GIL;

static void replied(void *context, const struct aw_script_reply *reply)
{
    bool *is_answered = context;

    aw_role_assume(&aw_role_main);
    assert_false(*is_answered);
    *is_answered = true;
    assert_string_equal(reply->script, "a");
    assert_int_equal(reply->left, 0);
    walk.answered++;
    if (walk.nested > 0 && pick(2) == 0) {
        walk.nested--;
        ask(7); /* it is not removed out of an answer */
    }
}

static void ask(unsigned kinds)
{
    static void (*const requests[])(struct aw_supervisor *, size_t,
                                    aw_script_replied, void *) = {
        aw_supervisor_reload,         aw_supervisor_reload,
        aw_supervisor_reload_changed, aw_supervisor_reload_changed,
        aw_supervisor_restart,        aw_supervisor_stop,
        aw_supervisor_park,           aw_supervisor_remove,
    };

    bool is_stopped;
    unsigned chosen;

    if (!aw_supervisor_has(rig.supervisor, 0))
        return;
    assert_true(walk.asked < ASKS);
    is_stopped = aw_supervisor_is_stopped(rig.supervisor, 0);
    chosen = pick(kinds);
    requests[chosen](rig.supervisor, 0, replied,
                     &walk.is_answered[walk.asked++]);
    if (is_stopped && requests[chosen] == aw_supervisor_park && !walk.nests)
        assert_true(aw_supervisor_is_stopped(rig.supervisor, 0));
}

/* The configuration has it again, or with another policy. */
static void configure(void) AW_ON(main) AW_NO_GIL
{
    walk.policy.restart = (enum aw_restart)pick(3);
    if (!rig_status(0).name)
        assert_int_equal(
            aw_supervisor_add(rig.supervisor, &script_a, &walk.policy, 1), 0);
    else if (aw_supervisor_has(rig.supervisor, 0))
        aw_supervisor_configure(rig.supervisor, 0, &script_a, &walk.policy, 1);
}

/* ---- what has to hold ---- */

static void check_status(const struct aw_script_status *status)
{
    bool current = is_current(version(status->generation));

    if (status->state == AW_SCRIPT_RUNNING && !status->reloading)
        assert_true(current);
    if (status->state == AW_SCRIPT_BACKING_OFF && !status->reloading)
        assert_true(status->wait_s > 0);
    if (status->state != AW_SCRIPT_RUNNING)
        assert_false(current);
    /* Else whoever was answered may have asked for more. */
    if (rig.idle != walk.idle && !walk.nests)
        assert_false(current || status->reloading ||
                     status->state == AW_SCRIPT_BACKING_OFF);
}

/* No timer runs that has nothing to do, nor is one missing. */
static void check_timers(const struct aw_supervised *script)
{
    bool deadline = ev_is_active(&script->deadline);

    if (ev_is_active(&script->backoff))
        assert_true(script->state == AW_SCRIPT_BACKING_OFF && !script->alive &&
                    script->phase == AW_RELOAD_NONE);
    if (ev_is_active(&script->grace) || deadline)
        assert_true(script->alive && script->stopping);
    if (script->phase == AW_RELOAD_YIELDING || script->restarts ||
        script->parks || script->stops)
        assert_true(deadline);
    if (script->phase == AW_RELOAD_PREPARING ||
        script->phase == AW_RELOAD_SETTLING)
        assert_true(ev_is_active(&script->patience));
    /* What was left is for the one behind it. */
    if (script->stopping)
        assert_false(ev_is_active(&script->patience));
}

static void check_script(const struct aw_supervised *script)
{
    check_timers(script);
    if (script->stopping)
        assert_true(script->alive);
    if (script->died.generation != 0)
        assert_int_equal(script->phase, AW_RELOAD_PREPARING);
    if (script->next_reloads)
        assert_true(script->again);
    if (script->again)
        assert_int_not_equal(script->phase, AW_RELOAD_NONE);
    /* Somebody sees to it that it is inherited or dropped. */
    if (walk.left && script->alive && script->phase == AW_RELOAD_NONE)
        assert_true(ev_is_active(&script->patience) ||
                    ev_is_active(&script->deadline));
    if (script->alive && !script->stopping)
        assert_false(script->held_off || script->parked);
}

static void check(void)
{
    struct aw_script_status status = rig_status(0);

    obey();
    if (status.name)
        check_status(&status);
    else /* it was removed */
        assert_int_equal(current_count(), 0);
    check_script(rig.supervisor->scripts[0]);
    walk.idle = rig.idle;
    /* Held for nothing. */
    for (uint64_t i = 1; !status.reloading && i <= walk.newest; i++)
        assert_false(version(i)->alive && version(i)->candidate &&
                     !version(i)->admitted && !version(i)->discarded);
}

/* Whatever is asked to end does, and what is new comes to its hold. */
static void do_as_asked(void)
{
    for (uint64_t i = 1; i <= walk.newest; i++) {
        struct version *one = version(i);

        if (one->alive && (one->asked || one->discarded))
            end(i, false);
        else if (one->alive && one->candidate && !one->held)
            hold(i);
        obey();
    }
}

static void let_pass(double seconds)
{
    while (seconds > 0) {
        fake_loop_advance(10);
        seconds -= 10;
        check();
    }
}

static void check_rest(const struct aw_supervised *script)
{
    bool stays = script->alive || script->held_off;

    assert_int_equal(fake_loop_timers(), 0);
    assert_true(script->phase == AW_RELOAD_NONE && !script->stopping);
    assert_int_not_equal(script->state, AW_SCRIPT_BACKING_OFF);
    assert_true(!walk.left || (script->held_off && script->parked));
    if (!stays && !script->removed && !walk.nests)
        assert_true(rig.idle > rig.idle_before);
}

/* Nobody asks any more. */
static void come_to_rest(void)
{
    walk.nested = 0;
    /* Whoever waits is told, even if nothing ends. */
    let_pass(100);
    assert_int_equal(walk.answered, walk.asked);
    for (int i = 0; i < 20; i++) {
        do_as_asked();
        let_pass(40);
    }
    assert_int_equal(walk.answered, walk.asked);
    check_rest(rig.supervisor->scripts[0]);
}

/* All end with the daemon: by a signal, or as none runs any more. */
static void finish(void) AW_ON(main) AW_NO_GIL
{
    bool closed = current_count() == 0 && pick(2);
    unsigned idle = rig.idle;

    walk.nested = 0;
    walk.ending = true;
    if (closed)
        aw_supervisor_close(rig.supervisor);
    else
        aw_supervisor_end_all(rig.supervisor, 15, false);
    obey();
    ask(7); /* in vain: nothing begins */
    do_as_asked();
    fake_loop_advance(40);
    obey();
    assert_int_equal(walk.answered, walk.asked);
    for (uint64_t i = 1; i <= walk.newest; i++)
        assert_false(version(i)->alive);
    assert_true(closed || rig.idle > idle);
    assert_false(walk.left);
}

static void step(void) AW_ON(main) AW_NO_GIL
{
    switch (pick(8)) {
    case 0:
        configure();
        break;
    case 1:
    case 2:
        ask(8);
        break;
    case 3:
    case 4:
        fake_loop_advance((double)pick(6) * pick(6) * pick(6) / 10.);
        break;
    default:
        happen();
    }
    check();
}

static void one_walk(unsigned number)
{
    aw_role_assume(&aw_role_main);
    memset(&walk, 0, sizeof(walk));
    walk.number = number;
    walk.policy = (struct aw_supervision){.restart = (enum aw_restart)pick(3),
                                          .delay_s = 0.5,
                                          .limit = pick(2) ? 5 : 0,
                                          .interval_s = 60};
    walk.nested = pick(3);
    walk.nests = walk.nested > 0;
    walk.newest = 1;
    rig_begin(1, walk.policy);
    rig.stack = pick(2) ? "  File \"/a.py\", line 2 in <module>\n" : NULL;
    rig.silent_looks = pick(30);
    *version(1) =
        (struct version){.alive = true, .admitted = true, .settled = true};
    for (int i = 0; i < STEPS; i++)
        step();
    if (pick(2))
        come_to_rest();
    finish();
    rig_tear_down(NULL);
}

static void test_supervisor_whatever_comes_in_whatever_order(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WALKS; i++) {
        srand(i);
        one_walk(i);
    }
}

static int tell_number(void **state)
{
    (void)state;
    print_message("the last walk was that of seed %u\n", walk.number);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(
            test_supervisor_whatever_comes_in_whatever_order, tell_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
