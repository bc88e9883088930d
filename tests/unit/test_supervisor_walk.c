/* A script's life at random, many times over: whoever asks for whatever, each
 * version ends when it likes, and time goes on. After each step, and once all
 * has come to rest, what has to hold always must hold. The number of a walk is
 * its seed. */
#include <stdio.h>

#include "tests/support/supervisor_rig.h"

#define WALKS    50000
#define STEPS    40
#define VERSIONS 200

/* What the host would know of a generation. */
struct version {
    bool alive, candidate, held, admitted, asked, discarded;
};

static struct {
    unsigned number;
    struct aw_supervision policy;
    struct version versions[VERSIONS]; /* by generation */
    uint64_t newest;
    unsigned asked, answered;
    unsigned idle;   /* how often it was told, at the last check */
    unsigned nested; /* asks out of answers that are still allowed */
    bool nests;      /* there were any from the start */
    bool ending;
} walk;

static unsigned throw(unsigned sides)
{
    return (unsigned)rand() % sides;
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
    *one = (struct version){
        .alive = true, .candidate = candidate, .admitted = !candidate};
}

static void admit(struct version *one)
{
    assert_true(one->candidate && one->held && !one->discarded);
    assert_int_equal(current_count(), 0);
    one->admitted = true;
}

/* Does what was asked for since the last time. */
static void obey(void)
{
    for (size_t i = 0; i < rig.call_count; i++) {
        const struct call *call = &rig.calls[i];

        if (call->kind == CALL_START)
            begin(call);
        else if (call->kind == CALL_ADMIT)
            admit(version(call->generation));
        else if (call->kind == CALL_DISCARD)
            version(call->generation)->discarded = true;
        else if (call->kind == CALL_CANCEL)
            version(call->generation)->asked = true;
    }
    rig.call_count = 0;
}

static void end(uint64_t generation, bool unchanged)
{
    struct version *one = version(generation);
    bool cancelled = one->asked && throw(4) != 0;

    one->alive = false;
    rig_event((struct aw_host_event){
        .kind = AW_HOST_SCRIPT_ENDED,
        .generation = generation,
        .status = cancelled || unchanged ? 0 : (int) throw(2),
        .cancelled = cancelled || unchanged || one->discarded,
        .unchanged = unchanged,
    });
}

static void hold(uint64_t generation)
{
    version(generation)->held = true;
    rig_held(generation);
}

/* Something happens to this version. */
static void happen(uint64_t generation)
{
    struct version *one = version(generation);

    if (!one->alive)
        return;
    if (!one->candidate || one->admitted || one->discarded)
        end(generation, false);
    else if (!one->held && throw(3) == 0)
        end(generation, throw(2) == 0);
    else if (!one->held)
        hold(generation);
    else if (throw(5) == 0) /* by a thread that it left at its hold */
        end(generation, false);
}

/* ---- who asks ---- */

static void ask(void) AW_ON(main) AW_NO_GIL;

static void replied(void *context, const struct aw_script_reply *reply)
{
    (void)context;
    (void)reply;
    aw_role_assume(&aw_role_main);
    walk.answered++;
    assert_true(walk.answered <= walk.asked);
    if (walk.nested > 0 && throw(2) == 0) {
        walk.nested--;
        ask();
    }
}

static void ask(void)
{
    static void (*const requests[])(struct aw_supervisor *, size_t,
                                    aw_script_replied, void *) = {
        aw_supervisor_reload,         aw_supervisor_reload,
        aw_supervisor_reload_changed, aw_supervisor_reload_changed,
        aw_supervisor_restart,        aw_supervisor_stop,
        aw_supervisor_park,           aw_supervisor_remove,
    };

    if (!aw_supervisor_has(rig.supervisor, 0))
        return;
    walk.asked++;
    requests[throw(8)](rig.supervisor, 0, replied, NULL);
}

/* The script comes into the configuration again. */
static void add(void) AW_ON(main) AW_NO_GIL
{
    const struct aw_host_script script = {.name = "a", .path = "a.py"};

    if (!rig_status(0).name)
        assert_int_equal(
            aw_supervisor_add(rig.supervisor, &script, &walk.policy, 1), 0);
}

/* ---- what has to hold ---- */

static void check_state(const struct aw_script_status *status)
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

static void check(void)
{
    struct aw_script_status status = rig_status(0);

    obey();
    if (status.name)
        check_state(&status);
    else /* it was removed */
        assert_int_equal(current_count(), 0);
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

/* Nobody asks any more. */
static void come_to_rest(void)
{
    walk.nested = 0;
    for (int i = 0; i < 20; i++) {
        do_as_asked();
        fake_loop_advance(40);
        check();
    }
    assert_int_equal(walk.answered, walk.asked);
    assert_false(rig_status(0).reloading);
    assert_false(rig_status(0).stopping);
    assert_int_not_equal(rig_status(0).state, AW_SCRIPT_BACKING_OFF);
}

/* All end with the daemon. */
static void finish(void) AW_ON(main) AW_NO_GIL
{
    walk.nested = 0;
    walk.ending = true;
    aw_supervisor_end_all(rig.supervisor, 15, false);
    obey();
    do_as_asked();
    fake_loop_advance(40);
    assert_int_equal(walk.answered, walk.asked);
    for (uint64_t i = 1; i <= walk.newest; i++)
        assert_false(version(i)->alive);
    assert_true(rig.idle > 0);
}

static void step(void) AW_ON(main) AW_NO_GIL
{
    switch (throw(8)) {
    case 0:
        add();
        break;
    case 1:
    case 2:
        ask();
        break;
    case 3:
    case 4:
        fake_loop_advance((double) throw(6) * throw(6) * throw(6) / 10.);
        break;
    default:
        happen(1 + throw((unsigned)walk.newest));
    }
    check();
}

static void one_walk(unsigned number)
{
    aw_role_assume(&aw_role_main);
    memset(&walk, 0, sizeof(walk));
    walk.number = number;
    walk.policy = (struct aw_supervision){.restart = (enum aw_restart) throw(3),
                                          .delay_s = 0.5,
                                          .limit = throw(2) ? 5 : 0,
                                          .interval_s = 60};
    walk.nested = throw(3);
    walk.nests = walk.nested > 0;
    walk.newest = 1;
    rig_begin(1, walk.policy);
    *version(1) = (struct version){.alive = true, .admitted = true};
    for (int i = 0; i < STEPS; i++)
        step();
    if (throw(2))
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
