/* A driver on its own, without device and reader: the test is the reader. */
#ifndef DRIVER_FIXTURE_H
#define DRIVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these four before it. */
#include <cmocka.h>

#include <linux/capability.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/device.h"
#include "devices/drivers.h"
#include "devices/options.h"

#define DEADLINE_MS 20000
#define OPTIONS_MAX 24

struct fixture {
    const struct aw_driver *driver;
    struct aw_value values[OPTIONS_MAX];
    struct aw_channels channels;
    struct aw_link link;
    struct aw_error error;
    struct aw_batch batch;
};

static inline void fixture_set(struct fixture *fixture, const char *name,
                               const char *text)
{
    const struct aw_driver *driver = fixture->driver;
    int index = aw_options_find(driver->options, driver->option_count, name);

    assert_true(index >= 0);
    assert_int_equal(aw_option_parse(&driver->options[index], text,
                                     &fixture->values[index], &fixture->error),
                     0);
}

/* The driver with its fallbacks, not opened. */
static inline struct fixture *fixture_new(const struct aw_driver *driver)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    assert_true(driver->option_count <= OPTIONS_MAX);
    fixture->driver = driver;
    fixture->link.name = "bench";
    fixture->link.fd = -1;
    fixture->link.aux_fd = -1;
    fixture->link.channels = &fixture->channels;
    for (size_t i = 0; i < driver->option_count; i++) {
        const struct aw_option *option = &driver->options[i];

        if (option->fallback)
            fixture_set(fixture, option->name, option->fallback);
    }
    return fixture;
}

static inline int fixture_check(struct fixture *fixture)
{
    return fixture->driver->check(fixture->values, &fixture->error);
}

/* Does the option take the text? */
static inline bool fixture_takes(const struct aw_driver *driver,
                                 const char *name, const char *text)
{
    int index = aw_options_find(driver->options, driver->option_count, name);
    struct aw_value value = {0};
    bool taken =
        aw_option_parse(&driver->options[index], text, &value, NULL) == 0;

    aw_value_deinit(&value);
    return taken;
}

static inline int fixture_open(struct fixture *fixture)
{
    struct aw_link *link = &fixture->link;
    int result = fixture->driver->open(link, fixture->values, &fixture->error);

    if (result < 0)
        return result;
    fixture->batch.slot_bytes = aw_slot_bytes(link->payload_bytes);
    fixture->batch.slots = calloc(AW_BATCH_FRAMES, fixture->batch.slot_bytes);
    assert_non_null(fixture->batch.slots);
    return result;
}

static inline void fixture_free(struct fixture *fixture)
{
    if (fixture->batch.slots)
        fixture->driver->close(&fixture->link);
    for (size_t i = 0; i < OPTIONS_MAX; i++)
        aw_value_deinit(&fixture->values[i]);
    free(fixture->batch.slots);
    free(fixture);
}

static inline bool fixture_polls(const struct fixture *fixture, short events,
                                 int timeout_ms)
{
    struct pollfd wait = {.fd = fixture->link.fd, .events = events};

    return poll(&wait, 1, timeout_ms) == 1;
}

/* Reads one batch of at most `limit` frames, as the reader does. */
static inline int fixture_read(struct fixture *fixture, uint32_t limit)
{
    struct aw_batch *batch = &fixture->batch;

    aw_role_assume(&aw_role_reader);
    batch->limit = limit;
    batch->count = 0;
    memset(batch->exclude, 0, sizeof(batch->exclude));
    memset(batch->marks, 0, sizeof(batch->marks));
    return fixture->driver->read(&fixture->link, batch);
}

/* Waits for a frame and reads it; it stays until the next read. */
static inline const struct aw_frame *fixture_next(struct fixture *fixture)
{
    assert_true(fixture_polls(fixture, POLLIN, DEADLINE_MS));
    assert_int_equal(fixture_read(fixture, 1), 0);
    assert_int_equal(fixture->batch.count, 1);
    return aw_batch_at(&fixture->batch, 0);
}

/* Sends a frame of this header and payload for `owner`. */
static inline int fixture_send(struct fixture *fixture, const char *owner,
                               const struct aw_frame *header,
                               const void *payload)
{
    struct aw_send *send =
        calloc(1, sizeof(*send) + aw_slot_bytes(header->length));
    int result;

    assert_non_null(send);
    aw_role_assume(&aw_role_reader);
    strncpy(send->owner, owner, sizeof(send->owner) - 1);
    memcpy(send->frame, header, sizeof(*header));
    memcpy(send->frame + sizeof(*header), payload, header->length);
    if (fixture->driver->send_many) {
        result = fixture->driver->send_many(&fixture->link, &send, 1);
        assert_true(result == 1 || result < 0);
        result = result < 0 ? result : 0;
    } else {
        result = fixture->driver->send(&fixture->link, send);
    }
    free(send);
    return result;
}

/* ---- what goes to stderr ---- */

struct capture {
    int stderr_copy;
    int file;
};

static inline struct capture capture_begin(void)
{
    struct capture capture = {dup(STDERR_FILENO),
                              memfd_create("capture", MFD_CLOEXEC)};

    assert_true(capture.stderr_copy >= 0 && capture.file >= 0);
    dup2(capture.file, STDERR_FILENO);
    return capture;
}

/* Ends it; `text` is what was written, cut to its size. */
static inline void capture_end(struct capture capture, char *text, size_t size)
{
    ssize_t length = pread(capture.file, text, size - 1, 0);

    dup2(capture.stderr_copy, STDERR_FILENO);
    close(capture.stderr_copy);
    close(capture.file);
    assert_true(length >= 0);
    text[length] = '\0';
}

/* ---- what the process may do ---- */

/* Takes a capability away from this thread, or gives it back. */
static inline void set_capability(unsigned capability, bool allowed)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    uint32_t bit = UINT32_C(1) << capability % 32;

    assert_int_equal(syscall(SYS_capget, &header, data), 0);
    data[capability / 32].effective =
        allowed ? data[capability / 32].effective |
                      (data[capability / 32].permitted & bit)
                : data[capability / 32].effective & ~bit;
    assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

#endif
