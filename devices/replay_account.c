#include "devices/replay_account.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "devices/queue/log.h"

/* Lines reported one by one, of each sort. */
#define REPORTS_MAX 10u

/* The `number`-th line of its sort. */
__attribute__((format(printf, 4, 5))) static void
report(const struct aw_replay_account *account, uint64_t line, uint64_t number,
       const char *format, ...)
{
    char text[512];
    va_list arguments;

    if (number > REPORTS_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    aw_log(AW_LOG_WARNING, "%s:%" PRIu64 ": %s%s", account->path, line, text,
           number == REPORTS_MAX ? " (more of these are only counted)" : "");
}

void aw_replay_account_broken(struct aw_replay_account *account, uint64_t line,
                              const char *reason)
{
    if (!account->closed)
        report(account, line, ++account->broken, "not replayed: %s", reason);
}

void aw_replay_account_unfit(struct aw_replay_account *account, uint64_t line,
                             const struct aw_frame *frame)
{
    if (!account->closed)
        report(account, line, ++account->unfit,
               "not replayed: a payload of %u bytes needs max_payload: %u",
               (unsigned)frame->length,
               frame->length <= AW_PAYLOAD_FD ? 64u : 2048u);
}

void aw_replay_account_drops(struct aw_replay_account *account, uint64_t line,
                             const struct aw_candump *record)
{
    if (account->closed)
        return;
    account->drops += record->drops;
    report(account, line, ++account->gaps,
           "%u frames of %s were lost here when it was recorded",
           (unsigned)record->drops, record->channel);
}

void aw_replay_account_close(struct aw_replay_account *account)
{
    if (account->closed)
        return;
    account->closed = true;
    if (account->broken || account->unfit)
        aw_log(AW_LOG_WARNING,
               "%s: not replayed: %" PRIu64 " broken lines, %" PRIu64
               " frames longer than max_payload",
               account->path, account->broken, account->unfit);
    if (account->drops)
        aw_log(AW_LOG_WARNING,
               "%s: %" PRIu64 " frames were lost when it was recorded",
               account->path, account->drops);
}
