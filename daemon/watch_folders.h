/* Which folders `run --watch` listens to: those that hold what a reload imports
 * anew.
 *
 * They are a script's own folder with the packages in it (folders that have an
 * __init__.py), and those of its `paths` that are below it, with all that is
 * below them; see own_folders() in pymod/awaitd/_host/modules.py. Folders that
 * are hidden, of bytecode or of installed packages, and symbolic links, are
 * left out. What appears later is found by looking again. There is a limit to
 * how many are watched, and to how long is looked for them. */
#ifndef AW_WATCH_FOLDERS_H
#define AW_WATCH_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>

#include "devices/queue/roles.h"
#include "pymod/host.h"

#define AW_WATCH_FOLDERS_MAX 256

/* A folder that is looked into, and how. */
struct aw_watch_root {
    char *folder; /* of the script */
    char *path;   /* one of its `paths`, or NULL: the folder itself */
};

struct aw_watch_folders {
    int fd;         /* the inotify's, not owned */
    int newest;     /* the largest number that it has given to a folder */
    size_t count;   /* of folders that are watched */
    bool told;      /* that there are too many */
    bool cut_short; /* while looking: there is too much to look through */
    size_t to_read; /* the same: names that may still be read */
    struct aw_watch_root *roots;
    size_t root_count;
};

/* `fd` must stay until aw_watch_folders_deinit(). */
void aw_watch_folders_init(struct aw_watch_folders *folders, int fd);
void aw_watch_folders_deinit(struct aw_watch_folders *folders);

/* Adds the folders of a script, of which copies are kept, and watches its own,
 * which is told in the log where it cannot be. The same again is no more. */
void aw_watch_folders_add(struct aw_watch_folders *folders,
                          const struct aw_host_script *script)
    AW_ON(main) AW_NO_GIL;

/* Looks for folders that are not watched yet; returns how many are now. Reads
 * folders, and so blocks as long as that takes. */
size_t aw_watch_folders_look(struct aw_watch_folders *folders)
    AW_ON(main) AW_NO_GIL;

/* The inotify has said IN_IGNORED: one less. */
void aw_watch_folders_gone(struct aw_watch_folders *folders);

/* May a folder of this name hold modules? */
bool aw_watch_folders_wants(const char *name);

#endif
