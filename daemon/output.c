#include "daemon/output.h"

/* The code that prints is the script's. */
#define SD_JOURNAL_SUPPRESS_LOCATION

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "daemon/output_names.h"
#include "daemon/output_ring.h"
#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"
#include "devices/queue/log.h"
#include "devices/queue/thread.h"

#define TELL_AGAIN_NS AW_NS_PER_S

struct aw_output {
    struct aw_output_names names;
    bool journal[3]; /* by stream */
    int bell;
    pthread_t thread;
    /* Set by the writer before it sleeps, taken by those who put. Sequentially
     * consistent, with the ring's `put` looked at behind it: either the writer
     * sees the line or the other one sees that it sleeps. */
    atomic_bool asleep;
    atomic_bool finish;    /* release by main, acquire by the writer */
    atomic_bool give_up;   /* by main: no other line; relaxed, a flag alone */
    atomic_bool over;      /* release by the writer, acquire by main */
    atomic_bool broken[3]; /* its reader is gone; relaxed, a flag alone */
    /* Lines that came, and those that went, whatever became of them. The second
     * with release by the writer, and acquire by those who compare the two: so
     * that it is never the larger one. */
    _Atomic(uint64_t) come, gone;
    int error;    /* of the last write that failed since; the writer's */
    bool torn[3]; /* a line that failed has left its beginning; the writer's */
    uint64_t told, told_ns;     /* dropped lines, and when; the writer's */
    pthread_mutex_t lock;       /* for `idle` alone, held for nothing else */
    pthread_cond_t idle;        /* all is written, and the writer sleeps */
    struct aw_output_line line; /* the writer's */
    struct aw_output_ring ring;
};

/* ---- those who put; each holds the GIL ---- */

static void wake(struct aw_output *output)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_exchange_explicit(&output->asleep, false, memory_order_seq_cst))
        aw_eventfd_ring(output->bell);
}

static void count_dropped(struct aw_output_script *script)
{
    /* Relaxed: a number alone, here and where it is read. */
    atomic_fetch_add_explicit(&script->dropped, 1, memory_order_relaxed);
}

/* Not in the middle of a character of UTF-8. */
static size_t cut_at(const char *text, size_t length, size_t most)
{
    if (length <= most)
        return length;
    while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
        most--;
    return most;
}

static int put(void *context, const struct aw_host_line *line)
{
    struct aw_output *output = context;
    const char *file = line->file ? line->file : "";
    size_t text_length = cut_at(line->text, line->length, AW_OUTPUT_TEXT_MAX);
    struct aw_output_head head = {
        .script = aw_output_names_find(&output->names, line->script),
        .file_length = (uint16_t)cut_at(file, strlen(file), AW_OUTPUT_FILE_MAX),
        .text_length = (uint16_t)text_length,
        .cut = line->length - text_length + line->cut,
        .line = line->line,
        .stream = line->stream == 2 ? 2 : 1,
        .priority = (uint8_t)line->priority,
    };

    if (atomic_load_explicit(&output->broken[head.stream],
                             memory_order_relaxed))
        return -EPIPE;
    atomic_fetch_add_explicit(&output->come, 1, memory_order_relaxed);
    if (!aw_output_ring_put(&output->ring, &head, file, line->text)) {
        count_dropped(head.script);
        atomic_fetch_add_explicit(&output->gone, 1, memory_order_release);
    }
    wake(output);
    return 0;
}

/* Of CLOCK_MONOTONIC, as the other one may be set meanwhile. */
static struct timespec deadline_in(double timeout_s)
{
    uint64_t until_ns =
        aw_clock_monotonic_ns() + (uint64_t)(timeout_s * (double)AW_NS_PER_S);

    return (struct timespec){.tv_sec = (time_t)(until_ns / AW_NS_PER_S),
                             .tv_nsec = (long)(until_ns % AW_NS_PER_S)};
}

static bool drain(void *context, double timeout_s)
{
    struct aw_output *output = context;
    struct timespec until = deadline_in(timeout_s);
    int result = 0;
    bool empty;

    pthread_mutex_lock(&output->lock);
    while (
        !(empty = atomic_load_explicit(&output->asleep, memory_order_seq_cst) &&
                  aw_output_ring_empty(&output->ring)) &&
        result == 0)
        result = pthread_cond_timedwait(&output->idle, &output->lock, &until);
    pthread_mutex_unlock(&output->lock);
    return empty;
}

/* ---- the writer ---- */

/* 0 or a negative errno: there is nobody behind the journal's socket. */
static int write_journal(const struct aw_output_line *line, const char *cut)
{
    const struct aw_output_head *head = &line->head;

    if (head->file_length == 0)
        return sd_journal_send("MESSAGE=%s%s", line->text, cut, "PRIORITY=%u",
                               head->priority, "AWAITD_SCRIPT=%s",
                               head->script->name, NULL);
    return sd_journal_send("MESSAGE=%s%s", line->text, cut, "PRIORITY=%u",
                           head->priority, "AWAITD_SCRIPT=%s",
                           head->script->name, "CODE_FILE=%s", line->file,
                           "CODE_LINE=%u", head->line, NULL);
}

/* Whether a write that failed may be repeated. Whoever shares the terminal or
 * the pipe may have made it non-blocking: then this waits, as a write would. */
static bool may_repeat(int fd)
{
    struct pollfd place = {.fd = fd, .events = POLLOUT};

    if (errno == EAGAIN)
        poll(&place, 1, -1);
    else if (errno != EINTR)
        return false;
    return true;
}

/* All of it, however long the reader takes. Returns how much; less, and errno:
 * it cannot be. */
static size_t write_all(int fd, const char *text, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t sent = write(fd, text + done, length - done);

        if (sent < 0 && !may_repeat(fd))
            return done;
        if (sent > 0)
            done += (size_t)sent;
    }
    return done;
}

static void write_line(struct aw_output *output,
                       const struct aw_output_line *line)
{
    char cut[60] = "", whole[AW_OUTPUT_TEXT_MAX + 400];
    int stream = line->head.stream, length;
    size_t done;

    if (line->head.cut > 0)
        snprintf(cut, sizeof(cut), " [awaitd: %llu more bytes, cut]",
                 (unsigned long long)line->head.cut);
    if (output->journal[stream]) {
        int result = write_journal(line, cut);

        if (result < 0) {
            /* Its queue is full. */
            output->error = result == -EAGAIN ? 0 : -result;
            count_dropped(line->head.script);
        }
        return;
    }
    length = snprintf(whole, sizeof(whole) - 1,
                      "%s%.200s: ", output->torn[stream] ? "\n" : "",
                      line->head.script->name);
    memcpy(whole + length, line->text, line->head.text_length);
    length += line->head.text_length;
    length +=
        snprintf(whole + length, sizeof(whole) - (size_t)length, "%s\n", cut);
    done = write_all(stream, whole, (size_t)length);
    if (done > 0)
        output->torn[stream] = done < (size_t)length;
    if (done == (size_t)length)
        return;
    output->error = errno;
    if (errno == EPIPE)
        atomic_store_explicit(&output->broken[stream], true,
                              memory_order_relaxed);
    count_dropped(line->head.script);
}

static uint64_t dropped(void *context, size_t script)
{
    struct aw_output *output = context;

    return atomic_load_explicit(
        &aw_output_names_find(&output->names, script)->dropped,
        memory_order_relaxed);
}

static int name(void *context, size_t script, const char *wanted)
{
    struct aw_output *output = context;

    return aw_output_names_set(&output->names, script, wanted);
}

uint64_t aw_output_unwritten(struct aw_output *output)
{
    uint64_t gone = atomic_load_explicit(&output->gone, memory_order_acquire);

    return atomic_load_explicit(&output->come, memory_order_relaxed) - gone +
           aw_output_names_dropped(&output->names);
}

static uint64_t untold(struct aw_output *output)
{
    return aw_output_names_dropped(&output->names) - output->told;
}

/* Once in TELL_AGAIN_NS, or at the end: or else it would be a flood itself. */
static void tell_dropped(struct aw_output *output, bool now)
{
    uint64_t count = untold(output);
    uint64_t now_ns = count > 0 ? aw_clock_monotonic_ns() : 0;

    if (count == 0 || (!now && now_ns - output->told_ns < TELL_AGAIN_NS))
        return;
    aw_log(AW_LOG_WARNING, "%llu lines of output dropped: %s",
           (unsigned long long)count,
           output->error
               ? strerror(output->error)
               : "they came faster than they are read, or nobody reads them");
    output->error = 0;
    output->told += count;
    output->told_ns = now_ns;
}

/* Sleeps until there may be something. */
static void wait_for_more(struct aw_output *output)
{
    atomic_store_explicit(&output->asleep, true, memory_order_seq_cst);
    atomic_thread_fence(memory_order_seq_cst);
    if (!aw_output_ring_empty(&output->ring) ||
        atomic_load_explicit(&output->finish, memory_order_acquire)) {
        atomic_store_explicit(&output->asleep, false, memory_order_seq_cst);
        return;
    }
    pthread_mutex_lock(&output->lock);
    pthread_cond_broadcast(&output->idle);
    pthread_mutex_unlock(&output->lock);
    aw_eventfd_wait(output->bell,
                    untold(output) > 0 ? (int64_t)TELL_AGAIN_NS : -1);
    aw_eventfd_clear(output->bell);
}

static bool gives_up(const struct aw_output *output)
{
    return atomic_load_explicit(&output->give_up, memory_order_relaxed);
}

static void *writer_main(void *context)
{
    struct aw_output *output = context;

    for (;;) {
        /* Read first: what was put before main asked is then in the ring. */
        bool finish =
            atomic_load_explicit(&output->finish, memory_order_acquire);

        while (!gives_up(output) &&
               aw_output_ring_take(&output->ring, &output->line)) {
            write_line(output, &output->line);
            atomic_fetch_add_explicit(&output->gone, 1, memory_order_release);
            tell_dropped(output, false);
        }
        if (gives_up(output))
            break;
        tell_dropped(output, finish);
        if (finish)
            break;
        wait_for_more(output);
    }
    /* Release: with aw_output_stop()'s acquire. */
    atomic_store_explicit(&output->over, true, memory_order_release);
    return NULL;
}

/* ---- the object ---- */

bool aw_output_is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;

    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(fd, &status) == 0 && status.st_dev == (dev_t)device &&
           status.st_ino == (ino_t)inode;
}

static void free_output(struct aw_output *output)
{
    aw_eventfd_close(output->bell);
    pthread_cond_destroy(&output->idle);
    pthread_mutex_destroy(&output->lock);
    aw_output_names_deinit(&output->names);
    free(output);
}

static void init_locks(struct aw_output *output)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&output->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&output->idle, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

int aw_output_start(struct aw_output **ret_output)
{
    struct aw_output *output = calloc(1, sizeof(*output));
    int result;

    if (!output)
        return -ENOMEM;
    output->journal[1] = aw_output_is_journal(STDOUT_FILENO);
    output->journal[2] = aw_output_is_journal(STDERR_FILENO);
    init_locks(output);
    aw_output_names_init(&output->names);
    output->bell = aw_eventfd_new();
    result = output->bell < 0
                 ? output->bell
                 : aw_thread_start(&output->thread, writer_main, output);
    if (result < 0) {
        free_output(output);
        return result;
    }
    *ret_output = output;
    return 0;
}

struct aw_host_output aw_output_for_host(struct aw_output *output)
{
    return (struct aw_host_output){
        .put = put,
        .drain = drain,
        .dropped = dropped,
        .name = name,
        .context = output,
        .located = output->journal[1] || output->journal[2],
    };
}

static bool join(struct aw_output *output, double timeout_s)
{
    struct timespec until = deadline_in(timeout_s);

    if (pthread_clockjoin_np(output->thread, NULL, CLOCK_MONOTONIC, &until) !=
        0)
        return false;
    /* Acquire: with writer_main()'s release. Joining has ordered it all, but
     * ThreadSanitizer does not know of this way to join. */
    (void)atomic_load_explicit(&output->over, memory_order_acquire);
    return true;
}

bool aw_output_stop(struct aw_output *output, double timeout_s)
{
    if (!output)
        return false;
    /* Release: with the writer's acquire. */
    atomic_store_explicit(&output->finish, true, memory_order_release);
    aw_eventfd_ring(output->bell);
    if (!join(output, timeout_s))
        return true;
    free_output(output);
    return false;
}

void aw_output_give_up(struct aw_output *output, double timeout_s)
{
    atomic_store_explicit(&output->give_up, true, memory_order_relaxed);
    aw_eventfd_ring(output->bell);
    (void)join(output, timeout_s);
}
