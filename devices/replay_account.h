/* The account of a log: what in it was not replayed, and why.
 *
 * The first ten lines of each sort are reported one by one, with file and line,
 * the others are counted; the sums are logged at the end. Private to the driver
 * `replay`: used by open() and then by the reader. */
#ifndef AW_REPLAY_ACCOUNT_H
#define AW_REPLAY_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/candump.h"

struct aw_replay_account {
    const char *path; /* of the log; not owned */
    uint64_t broken;  /* lines that cannot be parsed */
    uint64_t unfit;   /* frames that are longer than a slot */
    uint64_t gaps;    /* lines that tell of frames lost by the recording */
    uint64_t drops;   /* how many were lost there */
    bool closed;
};

/* Each enters one line, unless the account is closed. */
void aw_replay_account_broken(struct aw_replay_account *account, uint64_t line,
                              const char *reason);
void aw_replay_account_unfit(struct aw_replay_account *account, uint64_t line,
                             const struct aw_frame *frame);
void aw_replay_account_drops(struct aw_replay_account *account, uint64_t line,
                             const struct aw_candump *record);

/* Logs the sums, if there is something to say, and closes the account: the
 * later passes of a loop meet the same lines again. Idempotent. */
void aw_replay_account_close(struct aw_replay_account *account);

#endif
