/* A replay, driven through its table of functions as the reader does, on a log
 * in a folder of its own. What is logged meanwhile is kept for the test. */
#ifndef AW_TEST_REPLAY_RIG_H
#define AW_TEST_REPLAY_RIG_H

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/drivers.h"
#include "devices/queue/clock.h"

#define DEADLINE_MS 20000
#define OPTIONS_MAX 16

/* Three frames of two channels, 10 ms apart. */
static const char *const three = "(1700000000.000000) can0 101#01\n"
                                 "(1700000000.010000) can1 102#02\n"
                                 "(1700000000.020000) can0 103#03\n";

/* An opened replay, and what it says on stderr. */
struct rig {
    char folder[32];
    char path[4096];
    struct aw_value values[OPTIONS_MAX];
    struct aw_channels channels;
    struct aw_link link;
    struct aw_batch batch;
    struct aw_error error;
    bool opened;
    int log; /* a memfd that takes the place of stderr */
    int stderr_fd;
    char said[8192];
};

static inline int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    if (!rig)
        return -1;
    strcpy(rig->folder, "/tmp/test_replay.XXXXXX");
    if (!mkdtemp(rig->folder))
        return -1;
    snprintf(rig->path, sizeof(rig->path), "%s/test.log", rig->folder);
    rig->log = memfd_create("stderr", MFD_CLOEXEC);
    rig->stderr_fd = dup(STDERR_FILENO);
    *state = rig;
    return rig->log < 0 || dup2(rig->log, STDERR_FILENO) < 0 ? -1 : 0;
}

static inline void end_replay(struct rig *rig)
{
    if (rig->opened)
        aw_replay_driver.close(&rig->link);
    rig->opened = false;
    free(rig->batch.slots);
    rig->batch.slots = NULL;
    for (size_t i = 0; i < aw_replay_driver.option_count; i++)
        aw_value_deinit(&rig->values[i]);
}

static inline int teardown(void **state)
{
    struct rig *rig = *state;
    char command[64];

    end_replay(rig);
    dup2(rig->stderr_fd, STDERR_FILENO);
    close(rig->stderr_fd);
    close(rig->log);
    snprintf(command, sizeof(command), "rm -r %s", rig->folder);
    free(rig);
    return system(command);
}

/* What has been logged since the start of the test. */
static inline const char *said(struct rig *rig)
{
    ssize_t length = pread(rig->log, rig->said, sizeof(rig->said) - 1, 0);

    assert_true(length >= 0);
    rig->said[length] = '\0';
    return rig->said;
}

/* Fails the test where it can be read. */
static inline void fail_aloud(struct rig *rig, const char *text,
                              const char *part)
{
    dup2(rig->stderr_fd, STDERR_FILENO);
    fail_msg("\"%s\" against \"%s\"", text, part);
}

static inline void check_said(struct rig *rig, const char *text)
{
    if (!strstr(said(rig), text))
        fail_aloud(rig, rig->said, text);
}

static inline void check_silent_about(struct rig *rig, const char *text)
{
    if (strstr(said(rig), text))
        fail_aloud(rig, rig->said, text);
}

static inline void check_error(struct rig *rig, const char *text)
{
    if (!strstr(rig->error.text, text))
        fail_aloud(rig, rig->error.text, text);
}

static inline void write_bytes(const struct rig *rig, const void *bytes,
                               size_t length)
{
    FILE *file = fopen(rig->path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static inline void write_log(const struct rig *rig, const char *text)
{
    write_bytes(rig, text, strlen(text));
}

static inline void set_option(struct rig *rig, const char *key,
                              const char *text)
{
    const struct aw_driver *driver = &aw_replay_driver;
    int index = aw_options_find(driver->options, driver->option_count, key);

    assert_true(index >= 0);
    if (aw_option_parse(&driver->options[index], text, &rig->values[index],
                        &rig->error) < 0)
        fail_msg("%s", rig->error.text);
}

/* Fallbacks, the path, then "key=value" up to NULL. */
static inline void set_options(struct rig *rig, const char *const *settings)
{
    const struct aw_driver *driver = &aw_replay_driver;

    assert_true(driver->option_count <= OPTIONS_MAX);
    for (size_t i = 0; i < driver->option_count; i++) {
        if (driver->options[i].fallback)
            set_option(rig, driver->options[i].name,
                       driver->options[i].fallback);
    }
    set_option(rig, driver->main_option, rig->path);
    for (; settings && *settings; settings++) {
        char key[32];
        const char *equals = strchr(*settings, '=');

        snprintf(key, sizeof(key), "%.*s", (int)(equals - *settings),
                 *settings);
        set_option(rig, key, equals + 1);
    }
}

static inline int try_open(struct rig *rig, const char *const *settings)
{
    int result;

    set_options(rig, settings);
    rig->link = (struct aw_link){.name = "log", .channels = &rig->channels};
    result = aw_replay_driver.check(rig->values, &rig->error);
    if (result == 0)
        result = aw_replay_driver.open(&rig->link, rig->values, &rig->error);
    rig->opened = result == 0;
    return result;
}

#define SETTINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Opens what write_log() wrote, and lets it begin. */
static inline void begin(struct rig *rig, const char *const *settings)
{
    aw_role_assume(&aw_role_reader);
    if (try_open(rig, settings) < 0)
        fail_aloud(rig, rig->error.text, "an open device");
    rig->batch.slot_bytes = aw_slot_bytes(rig->link.payload_bytes);
    rig->batch.slots = calloc(AW_BATCH_FRAMES, rig->batch.slot_bytes);
    assert_non_null(rig->batch.slots);
    aw_replay_driver.start(&rig->link);
}

static inline bool is_readable(const struct rig *rig, int timeout_ms)
{
    struct pollfd fd = {.fd = rig->link.fd, .events = POLLIN};

    return poll(&fd, 1, timeout_ms) == 1;
}

/* One read() of at most `limit` frames, as soon as the fd polls readable. */
static inline int read_batch(struct rig *rig, uint32_t limit)
{
    aw_role_assume(&aw_role_reader);
    assert_true(is_readable(rig, DEADLINE_MS));
    rig->batch.limit = limit;
    rig->batch.count = 0;
    return aw_replay_driver.read(&rig->link, &rig->batch);
}

/* The next frame; fails the test if there is none. */
static inline const struct aw_frame *next(struct rig *rig)
{
    do {
        assert_int_equal(read_batch(rig, 1), 0);
    } while (rig->batch.count == 0 && !rig->batch.ended);
    assert_int_equal(rig->batch.count, 1);
    return aw_batch_at(&rig->batch, 0);
}

/* Reads on to the end; returns the count of frames. */
static inline uint64_t drain(struct rig *rig)
{
    uint64_t frames = 0;

    do {
        assert_int_equal(read_batch(rig, AW_BATCH_FRAMES), 0);
        frames += rig->batch.count;
    } while (!rig->batch.ended);
    return frames;
}

#define TEST(function)                                                         \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

#endif
