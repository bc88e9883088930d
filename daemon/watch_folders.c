#include "daemon/watch_folders.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "devices/queue/log.h"

#define DEPTH_MAX 16
#define NAMES_MAX 20000 /* in one look: some 10 ms */
#define SAVED     (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR)

bool aw_watch_folders_wants(const char *name)
{
    return name[0] != '.' && strcmp(name, "__pycache__") != 0 &&
           strcmp(name, "site-packages") != 0 &&
           strcmp(name, "dist-packages") != 0;
}

/* ---- watching one ---- */

static void tell_limit(struct aw_watch_folders *folders)
{
    if (!folders->told)
        aw_log(AW_LOG_WARNING,
               "not all folders of modules are watched: there are more than "
               "%d, too much in them, or more than "
               "fs.inotify.max_user_watches",
               AW_WATCH_FOLDERS_MAX);
    folders->told = true;
}

/* 0, or a negative errno. The same one again has the number that it had. */
static int watch(struct aw_watch_folders *folders, const char *path)
{
    int number = inotify_add_watch(folders->fd, path, SAVED);

    if (number < 0) {
        int error = errno;

        /* The kernel has no more of them for this user. */
        if (error == ENOSPC || error == ENOMEM)
            folders->cut_short = true;
        return -error;
    }
    if (number <= folders->newest)
        return 0;
    folders->newest = number;
    folders->count++;
    if (folders->count <= AW_WATCH_FOLDERS_MAX)
        return 0;
    /* It says IN_IGNORED as well. */
    inotify_rm_watch(folders->fd, number);
    folders->cut_short = true;
    return -ENOSPC;
}

/* ---- looking into them ---- */

static void walk(struct aw_watch_folders *folders, const char *path,
                 bool packages, unsigned depth);

static bool is_package(const char *path)
{
    char file[PATH_MAX];
    int length = snprintf(file, sizeof(file), "%s/__init__.py", path);

    return length > 0 && (size_t)length < sizeof(file) &&
           access(file, F_OK) == 0;
}

static void walk_entry(struct aw_watch_folders *folders, const char *path,
                       const struct dirent *entry, bool packages,
                       unsigned depth)
{
    char below[PATH_MAX];
    int length;

    /* A file system that does not tell may have a file watched in vain: that
     * fails, as it is no folder. */
    if ((entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) ||
        !aw_watch_folders_wants(entry->d_name))
        return;
    length = snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
    if (length < 0 || (size_t)length >= sizeof(below) ||
        (packages && !is_package(below)))
        return;
    walk(folders, below, packages, depth + 1);
}

static void walk(struct aw_watch_folders *folders, const char *path,
                 bool packages, unsigned depth)
{
    const struct dirent *entry;
    DIR *folder;

    if (depth > DEPTH_MAX || watch(folders, path) < 0)
        return;
    folder = opendir(path);
    while (folder && !folders->cut_short && (entry = readdir(folder))) {
        if (folders->to_read-- == 0)
            folders->cut_short = true;
        else
            walk_entry(folders, path, entry, packages, depth);
    }
    if (folder)
        closedir(folder);
}

static bool is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    while (length > 0 && folder[length - 1] == '/')
        length--;
    return strncmp(path, folder, length) == 0 && path[length] == '/' &&
           path[length + 1];
}

static void walk_root(struct aw_watch_folders *folders,
                      const struct aw_watch_root *root)
{
    char folder[PATH_MAX], path[PATH_MAX];
    const char *name;

    if (!realpath(root->folder, folder))
        return;
    if (!root->path) {
        walk(folders, folder, true, 0);
        return;
    }
    /* What is elsewhere stays as it is in a reload. */
    if (!realpath(root->path, path) || !is_below(path, folder))
        return;
    name = strrchr(path, '/') + 1;
    if (aw_watch_folders_wants(name) || name[0] == '.')
        walk(folders, path, false, 0);
}

size_t aw_watch_folders_look(struct aw_watch_folders *folders)
{
    size_t before = folders->count;

    folders->to_read = NAMES_MAX;
    folders->cut_short = false;
    for (size_t i = 0; i < folders->root_count && !folders->cut_short; i++)
        walk_root(folders, &folders->roots[i]);
    if (folders->cut_short)
        tell_limit(folders);
    return folders->count > before ? folders->count - before : 0;
}

void aw_watch_folders_gone(struct aw_watch_folders *folders)
{
    if (folders->count > 0)
        folders->count--;
}

/* ---- which there are ---- */

static bool same(const char *one, const char *other)
{
    return one == other || (one && other && strcmp(one, other) == 0);
}

/* Returns 0, also if it is there already, or -ENOMEM. */
static int add_root(struct aw_watch_folders *folders, const char *folder,
                    const char *path)
{
    struct aw_watch_root *roots, root;

    for (size_t i = 0; i < folders->root_count; i++)
        if (same(folders->roots[i].folder, folder) &&
            same(folders->roots[i].path, path))
            return 0;
    roots =
        reallocarray(folders->roots, folders->root_count + 1, sizeof(*roots));
    if (!roots)
        return -ENOMEM;
    folders->roots = roots;
    root = (struct aw_watch_root){
        .folder = strdup(folder),
        .path = path ? strdup(path) : NULL,
    };
    if (!root.folder || (path && !root.path)) {
        free(root.folder);
        free(root.path);
        return -ENOMEM;
    }
    roots[folders->root_count++] = root;
    return 0;
}

/* The folder of the file at `path`, and that of each of `paths` in it. */
static int add_file(struct aw_watch_folders *folders, const char *path,
                    char *const *paths)
{
    char *copy = strdup(path);
    const char *folder = copy ? dirname(copy) : NULL;
    int result = folder ? watch(folders, folder) : -ENOMEM;

    if (result == 0)
        result = add_root(folders, folder, NULL);
    for (; result == 0 && paths && *paths; paths++)
        result = add_root(folders, folder, *paths);
    free(copy);
    return result;
}

void aw_watch_folders_add(struct aw_watch_folders *folders,
                          const struct aw_host_script *script)
{
    char real[PATH_MAX];
    int result = add_file(folders, script->path, script->paths);

    /* A link may be exchanged, and so may what it leads to. */
    if (result == 0 && realpath(script->path, real))
        result = add_file(folders, real, script->paths);
    if (result < 0)
        aw_log(AW_LOG_WARNING, "cannot watch the folder of %s: %s",
               script->path, strerror(-result));
}

void aw_watch_folders_init(struct aw_watch_folders *folders, int fd)
{
    *folders = (struct aw_watch_folders){.fd = fd};
}

void aw_watch_folders_deinit(struct aw_watch_folders *folders)
{
    for (size_t i = 0; i < folders->root_count; i++) {
        free(folders->roots[i].folder);
        free(folders->roots[i].path);
    }
    free(folders->roots);
}
