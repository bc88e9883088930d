/* Who waits for an answer of the supervisor. */
#include <stdlib.h>

#include "daemon/supervisor_state.h"

struct aw_ask *aw_ask_new(aw_script_replied replied, void *context,
                          size_t count)
{
    struct aw_ask *ask =
        calloc(1, sizeof(*ask) + count * sizeof(ask->shares[0]));

    if (!ask)
        return NULL;
    ask->replied = replied;
    ask->context = context;
    ask->left = count;
    return ask;
}

void aw_ask_answer(struct aw_ask *ask, const struct aw_supervised *script,
                   int result, const char *text)
{
    struct aw_script_reply reply = {
        .script = script->name,
        .result = result,
        .generation = script->generation,
        .text = text,
    };

    if (!ask)
        return;
    reply.left = --ask->left;
    if (ask->replied)
        ask->replied(ask->context, &reply);
    if (reply.left == 0)
        free(ask);
}

void aw_ask_wait(struct aw_ask *ask, struct aw_waiting **list)
{
    struct aw_waiting *waiting;

    if (!ask)
        return;
    waiting = &ask->shares[ask->waiting++];
    *waiting = (struct aw_waiting){NULL, ask};
    aw_waiting_join(list, waiting);
}

void aw_waiting_join(struct aw_waiting **list, struct aw_waiting *more)
{
    while (*list)
        list = &(*list)->next;
    *list = more;
}

struct aw_waiting *aw_waiting_take(struct aw_waiting **list)
{
    struct aw_waiting *taken = *list;

    *list = NULL;
    return taken;
}

struct aw_waiting *aw_waiting_take_all(struct aw_supervised *script)
{
    struct aw_waiting *all = aw_waiting_take(&script->reloads);

    aw_waiting_join(&all, aw_waiting_take(&script->next_reloads));
    aw_waiting_join(&all, aw_waiting_take(&script->restarts));
    aw_waiting_join(&all, aw_waiting_take(&script->parks));
    aw_waiting_join(&all, aw_waiting_take(&script->stops));
    return all;
}

void aw_replies_answer(struct aw_waiting **list,
                       const struct aw_supervised *script, int result,
                       const char *text)
{
    struct aw_waiting *waiting = aw_waiting_take(list);

    while (waiting) {
        struct aw_waiting *next = waiting->next;

        /* Its part of the memory may go with it. */
        aw_ask_answer(waiting->ask, script, result, text);
        waiting = next;
    }
}

static void forget(struct aw_waiting *waiting, const void *context)
{
    for (; waiting; waiting = waiting->next)
        if (waiting->ask->context == context)
            waiting->ask->replied = NULL;
}

void aw_supervisor_forget(struct aw_supervisor *supervisor, const void *context)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        struct aw_supervised *script = supervisor->scripts[i];

        forget(script->reloads, context);
        forget(script->next_reloads, context);
        forget(script->restarts, context);
        forget(script->parks, context);
        forget(script->stops, context);
    }
}
