/* What happens when the system refuses: linked with --wrap for each call named
 * here, which then fails once on demand. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "devices/queue/eventfd.h"
#include "devices/queue/memfd.h"
#include "tests/support/queue_support.h"

enum call {
    NO_CALL,
    CALLOC,
    ALIGNED_ALLOC,
    FTRUNCATE,
    FCNTL,
    MMAP,
    GETRANDOM,
    EVENTFD,
};

static enum call failing;
static unsigned calls_before; /* of that call, which succeed */

/* Fails `call` for once, the time after `before` others. */
static void refuse(enum call call, unsigned before)
{
    failing = call;
    calls_before = before;
}

static bool fails(enum call call)
{
    if (call != failing || calls_before-- > 0)
        return false;
    failing = NO_CALL;
    return true;
}

void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails(CALLOC) ? NULL : __real_calloc(count, bytes);
}

void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return fails(ALIGNED_ALLOC) ? NULL : __real_aligned_alloc(alignment, bytes);
}

int __real_ftruncate(int fd, off_t bytes);
int __wrap_ftruncate(int fd, off_t bytes);
int __wrap_ftruncate(int fd, off_t bytes)
{
    errno = EFBIG;
    return fails(FTRUNCATE) ? -1 : __real_ftruncate(fd, bytes);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
    va_list arguments;
    int argument;

    va_start(arguments, command);
    argument = va_arg(arguments, int);
    va_end(arguments);
    errno = EPERM;
    return fails(FCNTL) ? -1 : __real_fcntl(fd, command, argument);
}

void *__real_mmap(void *address, size_t bytes, int protection, int flags,
                  int fd, off_t offset);
void *__wrap_mmap(void *address, size_t bytes, int protection, int flags,
                  int fd, off_t offset);
void *__wrap_mmap(void *address, size_t bytes, int protection, int flags,
                  int fd, off_t offset)
{
    errno = ENOMEM;
    return fails(MMAP)
               ? MAP_FAILED
               : __real_mmap(address, bytes, protection, flags, fd, offset);
}

ssize_t __real_getrandom(void *buffer, size_t bytes, unsigned int flags);
ssize_t __wrap_getrandom(void *buffer, size_t bytes, unsigned int flags);
ssize_t __wrap_getrandom(void *buffer, size_t bytes, unsigned int flags)
{
    errno = EAGAIN;
    return fails(GETRANDOM) ? -1 : __real_getrandom(buffer, bytes, flags);
}

int __real_eventfd(unsigned int value, int flags);
int __wrap_eventfd(unsigned int value, int flags);
int __wrap_eventfd(unsigned int value, int flags)
{
    errno = EMFILE;
    return fails(EVENTFD) ? -1 : __real_eventfd(value, flags);
}

/* ---- helpers ---- */

static int expect_refused(enum call call, unsigned before,
                          enum aw_overflow overflow)
{
    const struct aw_filter filter = {.id = 1, .mask = 1};
    struct aw_queue_config config = test_config(4);
    struct aw_queue *queue = NULL;
    int result;

    config.overflow = overflow;
    config.filters = &filter;
    config.filter_count = 1;
    refuse(call, before);
    result = aw_queue_new(&config, &queue);
    assert_null(queue);
    assert_int_equal(failing, NO_CALL);
    return result;
}

/* ---- tests ---- */

static void test_memfd_size_refused_gives_the_reason(void **state)
{
    void *memory = NULL;
    int fd = -1;

    (void)state;
    refuse(FTRUNCATE, 0);
    assert_int_equal(aw_memfd_map("test", 64, &fd, &memory), -EFBIG);
    assert_int_equal(fd, -1);
    assert_null(memory);
}

static void test_memfd_seal_refused_gives_the_reason(void **state)
{
    void *memory = NULL;
    int fd = -1;

    (void)state;
    refuse(FCNTL, 0);
    assert_int_equal(aw_memfd_map("test", 64, &fd, &memory), -EPERM);
    assert_int_equal(fd, -1);
    assert_null(memory);
}

static void test_memfd_mapping_refused_gives_the_reason(void **state)
{
    void *memory = NULL;
    int fd = -1;

    (void)state;
    refuse(MMAP, 0);
    assert_int_equal(aw_memfd_map("test", 64, &fd, &memory), -ENOMEM);
    assert_int_equal(fd, -1);
    assert_null(memory);
}

static void test_queue_without_memory_is_not_made(void **state)
{
    (void)state;
    assert_int_equal(expect_refused(ALIGNED_ALLOC, 0, AW_OVERFLOW_DROP_NEWEST),
                     -ENOMEM);
}

static void test_queue_without_memory_for_filters_is_not_made(void **state)
{
    (void)state;
    assert_int_equal(expect_refused(CALLOC, 0, AW_OVERFLOW_DROP_NEWEST),
                     -ENOMEM);
}

static void test_queue_without_ring_is_not_made(void **state)
{
    (void)state;
    assert_int_equal(expect_refused(MMAP, 0, AW_OVERFLOW_DROP_NEWEST), -ENOMEM);
}

static void test_latest_without_memory_is_not_made(void **state)
{
    (void)state;
    /* The first is for the filter, then each of the store's own three. */
    for (unsigned before = 1; before <= 3; before++)
        assert_int_equal(expect_refused(CALLOC, before, AW_OVERFLOW_LATEST),
                         -ENOMEM);
}

static void test_latest_without_mapping_is_not_made(void **state)
{
    (void)state;
    assert_int_equal(expect_refused(MMAP, 0, AW_OVERFLOW_LATEST), -ENOMEM);
}

static void test_latest_without_its_ring_is_not_made(void **state)
{
    (void)state;
    assert_int_equal(expect_refused(MMAP, 1, AW_OVERFLOW_LATEST), -ENOMEM);
}

static void test_latest_without_randomness_works(void **state)
{
    struct aw_queue_config config = test_config(2);
    struct aw_claim claim;
    struct aw_queue *queue;

    (void)state;
    config.overflow = AW_OVERFLOW_LATEST;
    refuse(GETRANDOM, 0);
    assert_int_equal(aw_queue_new(&config, &queue), 0);
    assert_int_equal(failing, NO_CALL);
    send_ids(queue, 7, 2);
    assert_int_equal(aw_queue_claim(queue, 2, &claim), 2);
    assert_int_equal(aw_queue_at(queue, &claim, 1)->id, 8);
    aw_queue_release(queue, &claim);
    aw_queue_unref(queue);
}

static void test_waker_without_bell_is_not_made(void **state)
{
    struct aw_waker waker;

    (void)state;
    refuse(EVENTFD, 0);
    assert_int_equal(aw_waker_init(&waker, false), -EMFILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memfd_size_refused_gives_the_reason),
        cmocka_unit_test(test_memfd_seal_refused_gives_the_reason),
        cmocka_unit_test(test_memfd_mapping_refused_gives_the_reason),
        cmocka_unit_test(test_queue_without_memory_is_not_made),
        cmocka_unit_test(test_queue_without_memory_for_filters_is_not_made),
        cmocka_unit_test(test_queue_without_ring_is_not_made),
        cmocka_unit_test(test_latest_without_memory_is_not_made),
        cmocka_unit_test(test_latest_without_mapping_is_not_made),
        cmocka_unit_test(test_latest_without_its_ring_is_not_made),
        cmocka_unit_test(test_latest_without_randomness_works),
        cmocka_unit_test(test_waker_without_bell_is_not_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
