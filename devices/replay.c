/* Driver `replay`: a log of `candump -L`, plain or gzipped, as a device.
 *
 * The pacer says when a frame is due. It sees the frames of all channels, so
 * devices that each replay one channel of a log stay in step. At speed=max a
 * frame is due at any time, and the reader paces us by the room in its queues.
 *
 * One frame is always read ahead. So open() knows that there is something to
 * replay, and the end is told with the last frame, not after it.
 *
 * Frames that the recording lost (DROPCOUNT) are reported and not charged as
 * losses: the ledger says what was lost here, and with which remedy.
 *
 * Not in here: the grammar (candump.c), time (pacer.c). zlib is used in no
 * other file. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "devices/candump.h"
#include "devices/drivers.h"
#include "devices/pacer.h"
#include "devices/queue/clock.h"
#include "devices/queue/log.h"
#include "devices/replay_account.h"

/* A longer line is no record: the longest has 2,048 dotted bytes. */
#define BUFFER_BYTES (64u * 1024)

/* Of the log read in one call, about, so that the reader is not held up where
 * few lines are frames of the channel wanted. */
#define BYTES_PER_READ (256u * 1024)

/* Whoever waits longer for the next frame is told so. */
#define LONG_PAUSE_NS (60 * AW_NS_PER_S)

/* ---- the log file, line by line ---- */

struct log_file {
    char *path;
    gzFile file;
    uint64_t consumed; /* bytes of lines read so far, over all passes */
    uint64_t line;     /* number of the line last read, from 1 */
    size_t start;      /* what is not yet read: buffer[start..end) */
    size_t end;
    bool at_end;   /* the file has no more than that */
    bool overlong; /* the line last read goes on, longer than the buffer */
    char buffer[BUFFER_BYTES];
};

static int log_open(struct log_file *log, const char *path,
                    struct aw_error *error)
{
    /* Non-blocking, or a FIFO would hold us up here. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;

    if (fd < 0)
        return aw_error_set(error, errno, "cannot open the log %s: %s%s", path,
                            strerror(errno),
                            errno == EACCES ? ": its owner can let others read "
                                              "it (`chmod`, and the folders "
                                              "above it)"
                                            : "");
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return aw_error_set(error, ENOENT, "the log %s is no regular file",
                            path);
    }
    log->path = strdup(path);
    log->file = gzdopen(fd, "rb");
    if (!log->file)
        close(fd);
    if (!log->path || !log->file)
        return aw_error_set(error, ENOMEM, "no memory to read %s", path);
    gzbuffer(log->file, BUFFER_BYTES);
    return 0;
}

static void log_close(struct log_file *log)
{
    if (log->file)
        gzclose(log->file);
    free(log->path);
}

static int log_rewind(struct log_file *log)
{
    log->line = 0;
    log->start = log->end = 0;
    log->at_end = log->overlong = false;
    return gzrewind(log->file) < 0 ? -EIO : 0;
}

/* Reads more behind what is in the buffer. Returns 0 or -EIO. */
static int log_fill(struct log_file *log)
{
    int count, status;

    memmove(log->buffer, log->buffer + log->start, log->end - log->start);
    log->end -= log->start;
    log->start = 0;
    count = gzread(log->file, log->buffer + log->end,
                   (unsigned)(BUFFER_BYTES - log->end));
    if (count > 0) {
        log->end += (size_t)count;
        return 0;
    }
    gzerror(log->file, &status);
    log->at_end = true;
    /* A gzip file that was cut off ends without an error of gzread()'s own. */
    return count < 0 || status < 0 ? -EIO : 0;
}

/* Fills the buffer up to a line's end, if there is one. Returns its length in
 * the buffer, without the newline; `*ret_newline` says whether it has one. */
static int log_buffer_line(struct log_file *log, bool *ret_newline)
{
    for (;;) {
        const char *start = log->buffer + log->start;
        size_t unread = log->end - log->start;
        const char *newline = memchr(start, '\n', unread);
        int result;

        *ret_newline = newline != NULL;
        if (newline)
            return (int)(newline - start);
        if (log->at_end || unread == BUFFER_BYTES)
            return (int)unread;
        result = log_fill(log);
        if (result < 0)
            return result;
    }
}

enum log_result {
    LOG_END,
    LOG_LINE,     /* a line, good until the next call */
    LOG_OVERLONG, /* the start of a line that is longer than the buffer */
    LOG_REST,     /* some more of that line */
};

/* Reads on. Returns an enum log_result or -EIO. */
static int log_read(struct log_file *log, const char **ret_text,
                    size_t *ret_length)
{
    bool newline, rest = log->overlong;
    int length = log_buffer_line(log, &newline);

    if (length < 0)
        return length;
    if (length == 0 && !newline)
        return LOG_END;
    *ret_text = log->buffer + log->start;
    *ret_length = (size_t)length;
    log->start += *ret_length + newline;
    log->consumed += *ret_length + newline;
    log->overlong = !newline && *ret_length == BUFFER_BYTES;
    if (rest)
        return LOG_REST;
    log->line++;
    return log->overlong ? LOG_OVERLONG : LOG_LINE;
}

/* ---- the replay ---- */

struct replay {
    struct log_file log;
    struct aw_pacer pacer;
    bool loop;
    char channel[16];                 /* the only one wanted, or "" */
    uint64_t frames;                  /* to be replayed in this pass */
    struct aw_replay_account account; /* of the first pass */

    uint64_t pause_line; /* the last line that a long pause was reported for */
    bool ahead;          /* `next` holds the frame to be replayed next */
    struct aw_candump next;
};

/* What reading a line has brought. */
enum step {
    STEP_FRAME,   /* replay->next */
    STEP_SKIPPED, /* nothing to replay, or not yet */
    STEP_END,     /* and there will be nothing more */
};

/* The file has been read to its end. */
static int end_pass(struct replay *replay)
{
    int result;

    aw_replay_account_close(&replay->account);
    /* A pass without a frame cannot be repeated for ever. */
    if (!replay->loop || replay->frames == 0)
        return STEP_END;
    result = log_rewind(&replay->log);
    if (result < 0)
        return result;
    aw_pacer_next_pass(&replay->pacer);
    replay->frames = 0;
    return STEP_SKIPPED;
}

static bool is_wanted(const struct replay *replay)
{
    return replay->channel[0] == '\0' ||
           strcmp(replay->channel, replay->next.channel) == 0;
}

/* Takes the record just parsed as the next frame, if it is to be replayed. */
static int accept_frame(struct aw_link *link, struct replay *replay)
{
    struct aw_frame *frame = aw_candump_frame(&replay->next);

    aw_pacer_advance(&replay->pacer, frame->timestamp_ns);
    /* Before the first frame all channels are noted, for no_channel(). */
    if (is_wanted(replay) || replay->frames == 0)
        frame->channel =
            aw_channels_index(link->channels, replay->next.channel);
    if (!is_wanted(replay))
        return STEP_SKIPPED;
    if (frame->length > link->payload_bytes) {
        aw_replay_account_unfit(&replay->account, replay->log.line, frame);
        return STEP_SKIPPED;
    }
    frame->timestamp_ns += replay->pacer.pass_ns;
    replay->frames++;
    replay->ahead = true;
    return STEP_FRAME;
}

/* Nothing is lost with these: blank lines and those that begin with `#`. */
static bool is_comment(const char *text, size_t length)
{
    size_t i = 0;

    while (i < length && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r'))
        i++;
    return i == length || text[i] == '#';
}

/* A line of the log, parsed for what it brings. */
static int take_line(struct aw_link *link, struct replay *replay,
                     const char *text, size_t length)
{
    struct aw_error error;
    int result = aw_candump_parse(text, length, &replay->next, &error);

    if (result == AW_CANDUMP_FRAME)
        return accept_frame(link, replay);
    if (result == AW_CANDUMP_DROPS && is_wanted(replay))
        aw_replay_account_drops(&replay->account, replay->log.line,
                                &replay->next);
    else if (result < 0)
        aw_replay_account_broken(&replay->account, replay->log.line,
                                 error.text);
    else if (result == AW_CANDUMP_OTHER && !is_comment(text, length))
        aw_replay_account_broken(&replay->account, replay->log.line,
                                 "it is neither a record, which begins with "
                                 "\"(\", nor a comment");
    return STEP_SKIPPED;
}

/* Reads one line. Returns an enum step or a negative errno. */
static int read_line(struct aw_link *link, struct replay *replay)
{
    const char *text;
    size_t length;
    int result = log_read(&replay->log, &text, &length);

    if (result < 0)
        return result;
    if (result == LOG_END)
        return end_pass(replay);
    if (result == LOG_LINE)
        return take_line(link, replay, text, length);
    if (result == LOG_OVERLONG && text[0] == '(')
        aw_replay_account_broken(&replay->account, replay->log.line,
                                 "the line is longer than any frame's");
    return STEP_SKIPPED;
}

/* Reads ahead to the next frame, if it is not there yet, but not beyond `until`
 * (log.consumed). Returns an enum step or a negative errno. */
static int read_ahead(struct aw_link *link, struct replay *replay,
                      uint64_t until)
{
    int result = replay->ahead ? STEP_FRAME : STEP_SKIPPED;

    while (result == STEP_SKIPPED && replay->log.consumed < until)
        result = read_line(link, replay);
    return result;
}

static const char *read_failure(const struct replay *replay)
{
    int status;

    gzerror(replay->log.file, &status);
    return status == Z_ERRNO ? strerror(EIO)
                             : "its gzip data is damaged or cut off";
}

/* ---- the driver ---- */

enum option { PATH, SPEED, LOOP, CHANNEL, START, MAX_PAYLOAD, OPTION_COUNT };

static const char *const start_names[] = {"attached", "ready", NULL};
static const enum aw_start starts[] = {AW_START_ATTACHED, AW_START_RELEASED};

static const struct aw_option options[OPTION_COUNT] = {
    [PATH] = {.name = "path",
              .type = AW_OPTION_PATH,
              .required = true,
              .help = "the log, as candump -L or -l writes it, or gzipped"},
    [SPEED] = {.name = "speed",
               .type = AW_OPTION_TEXT,
               .fallback = "1",
               .help = "a factor of real time, or max: as fast as the queues "
                       "are emptied"},
    [LOOP] = {.name = "loop",
              .type = AW_OPTION_BOOL,
              .fallback = "no",
              .help = "start again at the end"},
    [CHANNEL] = {.name = "channel",
                 .type = AW_OPTION_TEXT,
                 .help = "replay this interface's frames only"},
    [START] = {.name = "start",
               .type = AW_OPTION_CHOICE,
               .fallback = "attached",
               .choices = start_names,
               .help = "begin when the first queue is attached, or when every "
                       "script is ready"},
    [MAX_PAYLOAD] = {.name = "max_payload",
                     .type = AW_OPTION_INT,
                     .fallback = "64",
                     .minimum = 8,
                     .maximum = 2048,
                     .help = "bytes a frame can have: 8, 64 for CAN FD, 2048 "
                             "for CAN XL"},
};

/* The slot class for a max_payload, 0 if there is none. */
static uint32_t payload_class(int64_t max_payload)
{
    _Static_assert(AW_PAYLOAD_2K >= AW_CANDUMP_PAYLOAD_MAX, "CAN XL fits");

    switch (max_payload) {
    case 8:
        return AW_PAYLOAD_CAN;
    case 64:
        return AW_PAYLOAD_FD;
    case 2048:
        return AW_PAYLOAD_2K;
    default:
        return 0;
    }
}

static int replay_check(const struct aw_value *values, struct aw_error *error)
{
    const struct aw_value *channel = &values[CHANNEL];
    double factor;

    if (channel->set &&
        (channel->text[0] == '\0' || strlen(channel->text) > 15))
        return aw_error_set(error, EINVAL,
                            "channel takes an interface name of 1 to 15 "
                            "characters, not \"%.60s\"",
                            channel->text);
    if (payload_class(values[MAX_PAYLOAD].integer) == 0)
        return aw_error_set(error, EINVAL,
                            "max_payload takes 8, 64 or 2048, not \"%.60s\"",
                            values[MAX_PAYLOAD].text);
    return aw_pacer_parse_speed(values[SPEED].text, &factor, error);
}

/* The log has frames, but none of the channel wanted. */
static int no_channel(const struct aw_link *link, const struct replay *replay,
                      struct aw_error *error)
{
    char names[256] = "";
    size_t length = 0;

    for (uint32_t i = 0; i < link->channels->count && length < 200; i++)
        length +=
            (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
                             i ? ", " : "", link->channels->names[i]);
    return aw_error_set(error, ENODATA,
                        "%s has no frame of channel %s, only %s",
                        replay->log.path, replay->channel, names);
}

/* Why open() found nothing to replay. */
static int no_frame(const struct aw_link *link, const struct replay *replay,
                    struct aw_error *error)
{
    const char *path = replay->log.path;

    if (replay->account.unfit)
        return aw_error_set(error, ENODATA,
                            "no frame in %s fits max_payload; 64 takes CAN "
                            "FD, 2048 CAN XL",
                            path);
    if (replay->channel[0] && replay->pacer.records)
        return no_channel(link, replay, error);
    return aw_error_set(error, ENODATA,
                        "%s has no frame to replay (%" PRIu64 " lines, %" PRIu64
                        " of them broken); it must be a log of candump -L",
                        path, replay->log.line, replay->account.broken);
}

static int read_first(struct aw_link *link, struct replay *replay,
                      struct aw_error *error)
{
    int result = read_ahead(link, replay, UINT64_MAX);

    if (result < 0)
        return aw_error_set(
            error, -result,
            "cannot read the log %s beyond line %" PRIu64 ": %s",
            replay->log.path, replay->log.line, read_failure(replay));
    return result == STEP_END ? no_frame(link, replay, error) : 0;
}

static void replay_free(struct replay *replay)
{
    log_close(&replay->log);
    aw_pacer_deinit(&replay->pacer);
    free(replay);
}

static int replay_setup(struct aw_link *link, struct replay *replay,
                        const struct aw_value *values, struct aw_error *error)
{
    double factor;
    int result = aw_pacer_parse_speed(values[SPEED].text, &factor, error);

    if (result < 0)
        return result;
    replay->loop = values[LOOP].flag;
    if (values[CHANNEL].set)
        snprintf(replay->channel, sizeof(replay->channel), "%s",
                 values[CHANNEL].text);
    link->payload_bytes = payload_class(values[MAX_PAYLOAD].integer);
    result = aw_pacer_init(&replay->pacer, factor);
    if (result < 0)
        return aw_error_set(error, -result, "no timer to replay with: %s",
                            strerror(-result));
    result = log_open(&replay->log, values[PATH].text, error);
    replay->account.path = replay->log.path;
    return result < 0 ? result : read_first(link, replay, error);
}

static int replay_open(struct aw_link *link, const struct aw_value *values,
                       struct aw_error *error)
{
    struct replay *replay = calloc(1, sizeof(*replay));
    int result;

    if (!replay)
        return aw_error_set(error, ENOMEM, "no memory for a replay");
    result = replay_setup(link, replay, values, error);
    if (result < 0) {
        replay_free(replay);
        return result;
    }
    link->state = replay;
    link->fd = replay->pacer.fd;
    link->kind = AW_KIND_CAN;
    link->start = starts[values[START].integer];
    link->paced = aw_pacer_full_speed(&replay->pacer);
    link->can_send = false;
    return 0;
}

static void report_pause(struct replay *replay, uint64_t pause_ns)
{
    if (pause_ns < LONG_PAUSE_NS || replay->pause_line == replay->log.line)
        return;
    replay->pause_line = replay->log.line;
    aw_log(AW_LOG_WARNING,
           "%s:%" PRIu64 ": the next frame is due in %" PRIu64
           " s; speed=max plays without pauses",
           replay->log.path, replay->log.line, pause_ns / AW_NS_PER_S);
}

static void emit(struct replay *replay, struct aw_batch *batch, uint64_t moment)
{
    const struct aw_frame *next = aw_candump_frame(&replay->next);
    struct aw_frame *frame = aw_batch_at(batch, batch->count++);

    memcpy(frame, next, aw_frame_bytes(next));
    frame->monotonic_ns = moment;
    replay->ahead = false;
}

/* When read() is to be called again. */
static void arm_next(struct replay *replay, int step, uint64_t now)
{
    uint64_t due = aw_pacer_due_ns(&replay->pacer);

    if (step == STEP_END) {
        aw_pacer_disarm(&replay->pacer);
    } else if (step == STEP_SKIPPED) {
        aw_pacer_arm_now(&replay->pacer);
    } else {
        report_pause(replay, due > now ? due - now : 0);
        aw_pacer_arm(&replay->pacer);
    }
}

static void replay_start(struct aw_link *link)
{
    struct replay *replay = link->state;

    aw_pacer_start(&replay->pacer);
    arm_next(replay, STEP_FRAME, replay->pacer.start_ns);
}

static int replay_read(struct aw_link *link, struct aw_batch *batch)
{
    struct replay *replay = link->state;
    uint64_t now = aw_clock_monotonic_ns();
    uint64_t until = replay->log.consumed + BYTES_PER_READ;
    int step = read_ahead(link, replay, until);

    while (step == STEP_FRAME && batch->count < batch->limit) {
        uint64_t due = aw_pacer_due_ns(&replay->pacer);

        if (due > now)
            break;
        emit(replay, batch, link->paced ? now : due);
        step = read_ahead(link, replay, until);
    }
    if (step < 0) {
        aw_log(AW_LOG_ERROR, "%s: cannot be read beyond line %" PRIu64 ": %s",
               replay->log.path, replay->log.line, read_failure(replay));
        return step;
    }
    batch->ended = step == STEP_END;
    arm_next(replay, step, now);
    return 0;
}

static void replay_account(struct aw_link *link, struct aw_source_account *ret)
{
    const struct replay *replay = link->state;

    *ret = (struct aw_source_account){
        .broken_lines = replay->account.broken,
        .too_long = replay->account.unfit,
        .recorded_losses = replay->account.drops,
    };
}

static void replay_close(struct aw_link *link)
{
    struct replay *replay = link->state;

    aw_replay_account_close(&replay->account);
    replay_free(replay);
}

const struct aw_driver aw_replay_driver = {
    AW_DRIVER_HEAD,
    .name = "replay",
    .main_option = "path",
    .help = "replays a candump log",
    .options = options,
    .option_count = OPTION_COUNT,
    .check = replay_check,
    .open = replay_open,
    .start = replay_start,
    .read = replay_read,
    .account = replay_account,
    .close = replay_close,
};
