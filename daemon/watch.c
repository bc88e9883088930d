#include "daemon/watch.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "daemon/watch_folders.h"

#define QUIET_S 0.1 /* nothing for as long: the editor is done */

struct aw_watch {
    struct ev_loop *loop;
    struct aw_supervisor *supervisor;
    int fd;
    struct aw_watch_folders folders;
    bool saved; /* a Python file was, since the last time */
    ev_io ready;
    ev_timer quiet;
};

static bool is_python(const struct inotify_event *event)
{
    size_t length = event->len > 0 ? strlen(event->name) : 0;

    return length > 3 && strcmp(event->name + length - 3, ".py") == 0;
}

/* True if something may have to be done: a Python file was saved, or a folder
 * has come that may hold some. An overflow may hide either. */
static bool take_event(struct aw_watch *watch,
                       const struct inotify_event *event)
{
    bool saved = (event->mask & IN_Q_OVERFLOW) != 0;

    if (event->mask & IN_IGNORED)
        aw_watch_folders_gone(&watch->folders);
    if (event->mask & IN_ISDIR) {
        bool wanted = event->len > 0 && aw_watch_folders_wants(event->name);

        /* One that is known by another name is not found to be new, and what is
         * in it is. */
        watch->saved |= wanted && (event->mask & IN_MOVED_TO);
        return wanted;
    }
    /* A file that was only made is still to be written. */
    if (!(event->mask & IN_CREATE))
        saved |= is_python(event);
    watch->saved |= saved;
    return saved;
}

/* Reads what there is. */
static bool take_events(struct aw_watch *watch)
{
    _Alignas(struct inotify_event) char buffer[4096];
    bool wanted = false;
    ssize_t length;

    while ((length = read(watch->fd, buffer, sizeof(buffer))) > 0) {
        const char *at = buffer;

        while (at < buffer + length) {
            const struct inotify_event *event = (const void *)at;

            wanted |= take_event(watch, event);
            at += sizeof(*event) + event->len;
        }
    }
    return wanted;
}

static void on_ready(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct aw_watch *watch = watcher->data;

    (void)events;
    if (!take_events(watch))
        return;
    ev_timer_stop(loop, &watch->quiet);
    ev_now_update(loop);
    ev_timer_set(&watch->quiet, QUIET_S, 0.);
    ev_timer_start(loop, &watch->quiet);
}

static void on_quiet(struct ev_loop *loop, ev_timer *timer, int events)
    AW_ON(main) AW_NO_GIL
{
    struct aw_watch *watch = timer->data;
    size_t more = aw_watch_folders_look(&watch->folders);

    (void)loop;
    (void)events;
    /* In a folder that is new something may have been saved unheard. */
    if (watch->saved || more > 0)
        aw_supervisor_reload_changed(watch->supervisor, AW_SCRIPT_ALL, NULL,
                                     NULL);
    watch->saved = false;
}

void aw_watch_script(struct aw_watch *watch,
                     const struct aw_host_script *script)
{
    aw_watch_folders_add(&watch->folders, script);
    aw_watch_folders_look(&watch->folders);
}

int aw_watch_new(struct ev_loop *loop, const struct aw_host_config *config,
                 struct aw_supervisor *supervisor, struct aw_watch **ret_watch)
{
    struct aw_watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return -ENOMEM;
    watch->loop = loop;
    watch->supervisor = supervisor;
    watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch->fd < 0) {
        int error = errno;

        free(watch);
        return -error;
    }
    aw_watch_folders_init(&watch->folders, watch->fd);
    for (size_t i = 0; i < config->script_count; i++)
        aw_watch_folders_add(&watch->folders, &config->scripts[i]);
    aw_watch_folders_look(&watch->folders);
    ev_timer_init(&watch->quiet, on_quiet, 0., 0.);
    watch->quiet.data = watch;
    ev_io_init(&watch->ready, on_ready, watch->fd, EV_READ);
    watch->ready.data = watch;
    ev_io_start(loop, &watch->ready);
    *ret_watch = watch;
    return 0;
}

void aw_watch_free(struct aw_watch *watch)
{
    if (!watch)
        return;
    ev_io_stop(watch->loop, &watch->ready);
    ev_timer_stop(watch->loop, &watch->quiet);
    aw_watch_folders_deinit(&watch->folders);
    close(watch->fd);
    free(watch);
}
