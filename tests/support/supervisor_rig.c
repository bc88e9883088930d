#include "tests/support/supervisor_rig.h"

#include <math.h>
#include <stdio.h>

#include "devices/queue/log.h"

struct rig rig;
double rig_random = 0.5;

/* In place of libc's. */
double drand48(void)
{
    return rig_random;
}

/* ---- the host ---- */

static void note(struct call call)
{
    assert_true(rig.call_count < sizeof(rig.calls) / sizeof(rig.calls[0]));
    rig.calls[rig.call_count++] = call;
    if (call.kind == CALL_START || call.kind == CALL_ADMIT)
        rig.idle_before = rig.idle;
}

void aw_host_start_script(struct aw_host *host, size_t script,
                          uint64_t generation, enum aw_host_start how)
{
    (void)host;
    note((struct call){CALL_START, script, generation, (int)how, false});
}

void aw_host_admit(struct aw_host *host, size_t script, uint64_t generation)
{
    (void)host;
    note((struct call){CALL_ADMIT, script, generation, 0, false});
}

void aw_host_discard(struct aw_host *host, size_t script, uint64_t generation)
{
    (void)host;
    note((struct call){CALL_DISCARD, script, generation, 0, false});
}

void aw_host_drop_queues(struct aw_host *host, size_t script,
                         uint64_t generation)
{
    (void)host;
    note((struct call){CALL_DROP, script, generation, 0, false});
}

void aw_host_cancel(struct aw_host *host, size_t script, uint64_t generation,
                    enum aw_host_why why, int signal, bool again)
{
    (void)host;
    note((struct call){signal ? CALL_CANCEL : CALL_TELL, script, generation,
                       (int)why, again});
}

bool aw_host_ask_stack(struct aw_host *host, size_t script, uint64_t generation)
{
    (void)host;
    (void)script;
    (void)generation;
    return rig.stack;
}

size_t aw_host_read_stack(struct aw_host *host, size_t script,
                          uint64_t generation, char *buffer, size_t size)
{
    (void)host;
    (void)script;
    (void)generation;
    buffer[0] = '\0';
    if (!rig.stack)
        return 0;
    if (rig.silent_looks > 0) {
        rig.silent_looks--;
        return 0;
    }
    snprintf(buffer, size, "%s", rig.stack);
    return strlen(buffer);
}

void aw_host_turns(struct aw_host *host, size_t script,
                   struct aw_turns *ret_turns)
{
    (void)host;
    (void)script;
    *ret_turns = (struct aw_turns){0};
}

void aw_host_dump_stacks(struct aw_host *host)
{
    (void)host;
    note((struct call){CALL_DUMP, 0, 0, 0, false});
}

void aw_host_configure(struct aw_host *host, size_t script,
                       const struct aw_host_script *settings,
                       double executor_timeout_s)
{
    (void)host;
    (void)settings;
    (void)executor_timeout_s;
    note((struct call){CALL_CONFIGURE, script, 0, 0, false});
}

void aw_host_remove(struct aw_host *host, size_t script)
{
    (void)host;
    note((struct call){CALL_REMOVE, script, 0, 0, false});
}

/* ---- what it was asked for ---- */

void rig_expect_call(struct call call)
{
    const struct call *found = &rig.calls[rig.taken];

    assert_true(rig.taken < rig.call_count);
    assert_int_equal(found->kind, call.kind);
    assert_int_equal(found->script, call.script);
    assert_int_equal(found->generation, call.generation);
    assert_int_equal(found->how, call.how);
    assert_int_equal(found->again, call.again);
    rig.taken++;
}

void rig_expect(enum call_kind kind, uint64_t generation, int how)
{
    rig_expect_call((struct call){kind, 0, generation, how, false});
}

void rig_expect_nothing(void)
{
    assert_int_equal(rig.taken, rig.call_count);
}

/* ---- what it tells ---- */

void rig_event(struct aw_host_event event)
{
    aw_role_assume(&aw_role_main);
    aw_supervisor_event(rig.supervisor, &event);
}

void rig_held(uint64_t generation)
{
    rig_event((struct aw_host_event){.kind = AW_HOST_SCRIPT_HELD,
                                     .generation = generation});
}

void rig_ended(uint64_t generation, int status, const char *text)
{
    struct aw_host_event event = {.kind = AW_HOST_SCRIPT_ENDED,
                                  .generation = generation,
                                  .status = status};

    snprintf(event.text, sizeof(event.text), "%s", text);
    rig_event(event);
}

void rig_cancelled(uint64_t generation)
{
    rig_event((struct aw_host_event){.kind = AW_HOST_SCRIPT_ENDED,
                                     .generation = generation,
                                     .cancelled = true});
}

/* ---- who asks ---- */

void rig_replied(void *context, const struct aw_script_reply *reply)
{
    struct answer *answer = &rig.answers[rig.answer_count++];

    (void)context;
    *answer = (struct answer){.result = reply->result,
                              .generation = reply->generation,
                              .left = reply->left};
    snprintf(answer->script, sizeof(answer->script), "%s", reply->script);
    snprintf(answer->text, sizeof(answer->text), "%s", reply->text);
}

void rig_assert_answer(size_t index, int result, const char *text)
{
    assert_true(index < rig.answer_count);
    assert_int_equal(rig.answers[index].result, result);
    assert_non_null(strstr(rig.answers[index].text, text));
}

struct aw_script_status rig_status(size_t script)
{
    struct aw_script_status status;

    aw_role_assume(&aw_role_main);
    aw_supervisor_status(rig.supervisor, script, &status);
    return status;
}

/* ---- life ---- */

static void count_idle(void *context)
{
    (void)context;
    rig.idle++;
}

void rig_begin(size_t count, struct aw_supervision policy)
{
    const struct aw_host_script scripts[] = {{.name = "a", .path = "a.py"},
                                             {.name = "b", .path = "b.py"}};
    const struct aw_host_config host = {.scripts = scripts,
                                        .script_count = count};

    aw_role_enter(AW_ROLE_MAIN);
    aw_role_assume(&aw_role_main);
    aw_log_limit(AW_LOG_ERROR);
    memset(&rig, 0, sizeof(rig));
    rig_random = 0.5;
    rig.policies[0] = rig.policies[1] = policy;
    rig.config = (struct aw_supervisor_config){.scripts = rig.policies,
                                               .stop_grace_s = 5,
                                               .stop_timeout_s = 10,
                                               .start_timeout_s = 8,
                                               .reload_settle_s = 2};
    assert_int_equal(aw_supervisor_new(&rig.config, &host, fake_loop_new(),
                                       count_idle, NULL, &rig.supervisor),
                     0);
    aw_supervisor_begin(rig.supervisor, NULL);
}

int rig_tear_down(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    aw_supervisor_free(rig.supervisor);
    return 0;
}

/* ---- a reload of the one script ---- */

int rig_begin_one(void **state)
{
    (void)state;
    rig_begin(1, (struct aw_supervision){.restart = AW_RESTART_NO,
                                         .delay_s = 0.5,
                                         .limit = 5,
                                         .interval_s = 60});
    return 0;
}

void rig_reload(void)
{
    aw_role_assume(&aw_role_main);
    aw_supervisor_reload(rig.supervisor, 0, rig_replied, NULL);
}

void rig_hold(void)
{
    rig_reload();
    rig_expect(CALL_START, 2, AW_HOST_RELOAD);
    rig_held(2);
    rig_expect(CALL_CANCEL, 1, AW_HOST_WHY_RELOAD);
}

void rig_admit(void)
{
    rig_hold();
    rig_cancelled(1);
    rig_expect(CALL_ADMIT, 2, 0);
}
