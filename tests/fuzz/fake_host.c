#include "tests/fuzz/fake_host.h"

#include "tests/fuzz/fuzz.h"

#define EVENTS_MAX 4096u

struct aw_host {
    struct aw_host_event events[EVENTS_MAX];
    size_t first, count;
};

static struct aw_host host;

struct aw_host *fuzz_host_begin(void)
{
    host.first = host.count = 0;
    return &host;
}

bool fuzz_host_waits(void)
{
    return host.first < host.count;
}

void fuzz_host_turn(struct aw_supervisor *supervisor)
{
    while (fuzz_host_waits())
        aw_supervisor_event(supervisor, &host.events[host.first++]);
    host.first = host.count = 0;
}

static void tell(enum aw_host_event_kind kind, size_t script,
                 uint64_t generation, bool cancelled)
{
    FUZZ_REQUIRE(host.count < EVENTS_MAX);
    host.events[host.count++] = (struct aw_host_event){
        .kind = kind,
        .script = script,
        .generation = generation,
        .cancelled = cancelled,
    };
}

/* ---- what the supervisor asks ---- */

void aw_host_start_script(struct aw_host *self, size_t script,
                          uint64_t generation, enum aw_host_start how)
{
    (void)self;
    if (how == AW_HOST_RELOAD || how == AW_HOST_RELOAD_CHANGED)
        tell(AW_HOST_SCRIPT_HELD, script, generation, false);
}

void aw_host_admit(struct aw_host *self, size_t script, uint64_t generation)
{
    (void)self;
    (void)script;
    (void)generation;
}

void aw_host_discard(struct aw_host *self, size_t script, uint64_t generation)
{
    (void)self;
    tell(AW_HOST_SCRIPT_ENDED, script, generation, true);
}

void aw_host_configure(struct aw_host *self, size_t script,
                       const struct aw_host_script *settings,
                       double executor_timeout_s)
{
    (void)self;
    (void)script;
    (void)settings;
    (void)executor_timeout_s;
}

void aw_host_remove(struct aw_host *self, size_t script)
{
    (void)self;
    (void)script;
}

void aw_host_drop_queues(struct aw_host *self, size_t script,
                         uint64_t generation)
{
    (void)self;
    (void)script;
    (void)generation;
}

void aw_host_cancel(struct aw_host *self, size_t script, uint64_t generation,
                    enum aw_host_why why, int signal, bool again)
{
    (void)self;
    (void)why;
    (void)signal;
    if (!again)
        tell(AW_HOST_SCRIPT_ENDED, script, generation, true);
}

void aw_host_dump_stacks(struct aw_host *self)
{
    (void)self;
}

void aw_host_turns(struct aw_host *self, size_t script,
                   struct aw_turns *ret_turns)
{
    (void)self;
    (void)script;
    *ret_turns = (struct aw_turns){0};
}

/* No script runs here that could write one. */
bool aw_host_ask_stack(struct aw_host *self, size_t script, uint64_t generation)
{
    (void)self;
    (void)script;
    (void)generation;
    return false;
}

size_t aw_host_read_stack(struct aw_host *self, size_t script,
                          uint64_t generation, char *buffer, size_t size)
{
    (void)self;
    (void)script;
    (void)generation;
    if (size > 0)
        buffer[0] = '\0';
    return 0;
}
