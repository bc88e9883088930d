/* The watch: reloads scripts when their files are saved (`run --watch`).
 *
 * It listens for files ending in .py that are written or moved into the folders
 * of a script's own modules (watch_folders.h), waits until nothing has come for
 * a moment, since an editor does more than one thing when it saves, and has the
 * supervisor reload what has changed: which modules a script has imported, and
 * whether one of them is newer, is looked at there. */
#ifndef AW_WATCH_H
#define AW_WATCH_H

#include "daemon/supervisor.h"

struct aw_watch;

/* Watches until aw_watch_free(). A folder that cannot be watched is told in the
 * log. Returns 0 or a negative errno. */
int aw_watch_new(struct ev_loop *loop, const struct aw_host_config *config,
                 struct aw_supervisor *supervisor, struct aw_watch **ret_watch)
    AW_ON(main) AW_NO_GIL;

/* Watches the folders of one more script; the same folder twice is one watch.
 */
void aw_watch_script(struct aw_watch *watch,
                     const struct aw_host_script *script) AW_ON(main) AW_NO_GIL;

/* Accepts NULL. */
void aw_watch_free(struct aw_watch *watch) AW_ON(main) AW_NO_GIL;

#endif
