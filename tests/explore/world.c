/* What the leaf asks of the operating system, for the explorer: bells that a
 * fiber can wait for, memory, a clock that stands still, and no log. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"
#include "devices/queue/log.h"
#include "devices/queue/memfd.h"
#include "tests/explore/explore.h"

#define BELLS_MAX 16

static uint64_t bells[BELLS_MAX];
static int bell_count;
static unsigned open_bells, mappings;
static uint64_t now_ns;

void world_reset(void)
{
    memset(bells, 0, sizeof(bells));
    bell_count = 0;
    open_bells = 0;
    mappings = 0;
    now_ns = AW_NS_PER_S;
}

void world_set_time(uint64_t time_ns)
{
    now_ns = time_ns;
}

unsigned world_leaks(void)
{
    return open_bells + mappings;
}

int explore_clock(clockid_t clock, struct timespec *ret_now)
{
    (void)clock;
    ret_now->tv_sec = (time_t)(now_ns / AW_NS_PER_S);
    ret_now->tv_nsec = (long)(now_ns % AW_NS_PER_S);
    return 0;
}

void *explore_copy(void *to, const void *from, size_t bytes)
{
    unsigned char *bytes_to = to;
    const unsigned char *bytes_from = from;
    size_t half = bytes / 2;

    for (size_t i = 0; i < bytes; i++) {
        if (i == half)
            explore_point(to);
        bytes_to[i] = bytes_from[i];
    }
    return to;
}

/* In place of the C library's: the same hash in each schedule. */
ssize_t getrandom(void *buffer, size_t bytes, unsigned int flags)
{
    (void)flags;
    memset(buffer, 1, bytes);
    return (ssize_t)bytes;
}

/* ---- eventfd.h ---- */

int aw_eventfd_new(void)
{
    CHECK(bell_count < BELLS_MAX);
    open_bells++;
    return bell_count++;
}

int aw_eventfd_dup(int fd)
{
    open_bells++;
    return fd;
}

void aw_eventfd_close(int fd)
{
    if (fd >= 0)
        open_bells--;
}

void aw_eventfd_ring(int fd)
{
    explore_point(&bells[fd]);
    bells[fd]++;
}

bool aw_eventfd_clear(int fd)
{
    bool rang;

    explore_point(&bells[fd]);
    rang = bells[fd] > 0;
    bells[fd] = 0;
    return rang;
}

int aw_eventfd_wait(int fd, int64_t timeout_ns)
{
    CHECK(timeout_ns < 0);
    explore_await(&bells[fd]);
    return 1;
}

/* ---- memfd.h, log.h ---- */

int aw_memfd_map(const char *name, size_t bytes, int *ret_fd, void **ret_memory)
{
    size_t rounded = (bytes + 63) / 64 * 64;
    void *memory = aligned_alloc(64, rounded);

    (void)name;
    CHECK(memory != NULL);
    memset(memory, 0, rounded);
    mappings++;
    *ret_fd = -1;
    *ret_memory = memory;
    return 0;
}

void aw_memfd_unmap(int fd, void *memory, size_t bytes)
{
    (void)fd;
    (void)bytes;
    if (memory)
        mappings--;
    free(memory);
}

void aw_log(enum aw_log_level level, const char *format, ...)
{
    (void)level;
    (void)format;
}
