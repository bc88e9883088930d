/* Roles at run time: built without assert() nobody else asks for them. */
#include "devices/queue/roles.h"

#include <pthread.h>

#include "tests/support/unit.h"

static void *enter(void *argument)
{
    enum aw_role_name *seen = argument;

    seen[0] = aw_role_current();
    aw_role_enter(AW_ROLE_BRIDGE);
    aw_role_enter(AW_ROLE_BRIDGE);
    seen[1] = aw_role_current();
    return NULL;
}

static void test_roles_entered_is_the_threads_own(void **state)
{
    enum aw_role_name seen[2];
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, enter, seen), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(seen[0], AW_ROLE_NONE);
    assert_int_equal(seen[1], AW_ROLE_BRIDGE);
    assert_int_equal(aw_role_current(), AW_ROLE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles_entered_is_the_threads_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
