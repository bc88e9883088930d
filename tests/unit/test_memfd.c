#include "devices/queue/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/unit.h"

#define BYTES 10000u

struct shared {
    int fd;
    void *memory;
};

static int map(void **state)
{
    static struct shared shared;

    *state = &shared;
    return aw_memfd_map("test", BYTES, &shared.fd, &shared.memory);
}

static int unmap(void **state)
{
    struct shared *shared = *state;

    aw_memfd_unmap(shared->fd, shared->memory, BYTES);
    return 0;
}

static void test_memfd_new_is_zeroed(void **state)
{
    static const unsigned char zeros[BYTES];
    struct shared *shared = *state;

    assert_memory_equal(shared->memory, zeros, BYTES);
}

static void test_memfd_new_closes_on_exec(void **state)
{
    struct shared *shared = *state;

    assert_int_equal(fcntl(shared->fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void test_memfd_shrinking_is_refused(void **state)
{
    struct shared *shared = *state;

    assert_int_equal(ftruncate(shared->fd, 1), -1);
    assert_int_equal(errno, EPERM);
}

static void test_memfd_growing_is_refused(void **state)
{
    struct shared *shared = *state;

    assert_int_equal(ftruncate(shared->fd, 2 * BYTES), -1);
    assert_int_equal(errno, EPERM);
}

static void test_memfd_more_seals_are_refused(void **state)
{
    struct shared *shared = *state;

    assert_int_equal(fcntl(shared->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
    assert_int_equal(errno, EPERM);
}

static void test_memfd_second_mapping_sees_what_is_written(void **state)
{
    struct shared *shared = *state;
    char *second = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, shared->fd, 0);

    assert_ptr_not_equal(second, MAP_FAILED);
    memcpy(shared->memory, "frame", 6);
    assert_string_equal(second, "frame");
    munmap(second, BYTES);
}

static void test_memfd_name_too_long_refused_and_nothing_returned(void **state)
{
    char name[300];
    int fd = -7;
    void *memory = NULL;

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(aw_memfd_map(name, BYTES, &fd, &memory), -EINVAL);
    assert_int_equal(fd, -7);
    assert_null(memory);
}

static void test_memfd_size_impossible_leaves_no_descriptor(void **state)
{
    int fd = -7, next = dup(STDIN_FILENO);
    void *memory = NULL;

    (void)state;
    close(next);
    assert_true(aw_memfd_map("test", SIZE_MAX / 2, &fd, &memory) < 0);
    assert_int_equal(fd, -7);
    fd = dup(STDIN_FILENO);
    assert_int_equal(fd, next);
    close(fd);
}

static void test_memfd_unmap_of_nothing_is_harmless(void **state)
{
    (void)state;
    aw_memfd_unmap(-1, NULL, BYTES);
}

#define MEMFD_TEST(test) cmocka_unit_test_setup_teardown(test, map, unmap)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEMFD_TEST(test_memfd_new_is_zeroed),
        MEMFD_TEST(test_memfd_new_closes_on_exec),
        MEMFD_TEST(test_memfd_shrinking_is_refused),
        MEMFD_TEST(test_memfd_growing_is_refused),
        MEMFD_TEST(test_memfd_more_seals_are_refused),
        MEMFD_TEST(test_memfd_second_mapping_sees_what_is_written),
        cmocka_unit_test(test_memfd_name_too_long_refused_and_nothing_returned),
        cmocka_unit_test(test_memfd_size_impossible_leaves_no_descriptor),
        cmocka_unit_test(test_memfd_unmap_of_nothing_is_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
