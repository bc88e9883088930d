#include "devices/schedule.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/resource.h>

#include "driver_fixture.h"

/* ---- lists of processors ---- */

static void check_cpus(const char *text, const int *expected)
{
    cpu_set_t cpus;
    int count = 0;

    CPU_ZERO(&cpus);
    assert_int_equal(aw_schedule_parse_cpus(text, &cpus), 0);
    for (; expected[count] >= 0; count++)
        assert_true(CPU_ISSET((size_t)expected[count], &cpus));
    assert_int_equal(CPU_COUNT(&cpus), count);
}

#define CPUS(...) ((const int[]){__VA_ARGS__, -1})

static void test_cpus_single_parses(void **state)
{
    (void)state;
    check_cpus("0", CPUS(0));
    check_cpus("1023", CPUS(1023));
}

static void test_cpus_list_parses(void **state)
{
    (void)state;
    check_cpus("0,2,5", CPUS(0, 2, 5));
}

static void test_cpus_range_parses(void **state)
{
    (void)state;
    check_cpus("2-4", CPUS(2, 3, 4));
    check_cpus("3-3", CPUS(3));
}

static void test_cpus_list_of_ranges_parses(void **state)
{
    (void)state;
    check_cpus("0,2-3,7-8", CPUS(0, 2, 3, 7, 8));
}

static void test_cpus_named_twice_count_once(void **state)
{
    (void)state;
    check_cpus("1,1,0-2", CPUS(0, 1, 2));
}

static void test_cpus_malformed_are_refused_and_leave_the_set(void **state)
{
    static const char *const texts[] = {
        "",    ",",    "0,",   "a",      "0x1",
        "-1",  "0-",   "-",    "3-2",    "0;1",
        "0 1", "0--1", "1024", "0-1024", "99999999999999999999",
        "1.5", ",0",   "0,,1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        cpu_set_t cpus;

        CPU_ZERO(&cpus);
        CPU_SET(9, &cpus);
        if (aw_schedule_parse_cpus(texts[i], &cpus) != -EINVAL)
            fail_msg("\"%s\" is taken", texts[i]);
        assert_true(CPU_ISSET(9, &cpus) && CPU_COUNT(&cpus) == 1);
    }
}

/* ---- a thread to apply them to ---- */

struct subject {
    pthread_t thread;
    sem_t end;
    struct aw_device_config config;
    char said[1024];
};

static void *wait_for_end(void *argument)
{
    struct subject *subject = argument;

    while (sem_wait(&subject->end) < 0)
        ;
    return NULL;
}

static int set_up(void **state)
{
    struct subject *subject = calloc(1, sizeof(*subject));

    if (!subject)
        return -1;
    strcpy(subject->config.name, "bench");
    sem_init(&subject->end, 0, 0);
    *state = subject;
    return pthread_create(&subject->thread, NULL, wait_for_end, subject);
}

static int tear_down(void **state)
{
    struct subject *subject = *state;

    sem_post(&subject->end);
    pthread_join(subject->thread, NULL);
    sem_destroy(&subject->end);
    aw_value_deinit(&subject->config.common[AW_COMMON_CPUS]);
    free(subject);
    return 0;
}

static void apply(struct subject *subject)
{
    struct capture capture = capture_begin();

    aw_schedule_apply(subject->thread, &subject->config);
    capture_end(capture, subject->said, sizeof(subject->said));
}

static void set_cpus(struct subject *subject, const char *text)
{
    assert_int_equal(aw_option_parse(&aw_common_options[AW_COMMON_CPUS], text,
                                     &subject->config.common[AW_COMMON_CPUS],
                                     NULL),
                     0);
}

static void check_said(const struct subject *subject, const char *part)
{
    if (!strstr(subject->said, part))
        fail_msg("\"%s\" does not say \"%s\"", subject->said, part);
}

static void test_schedule_default_says_nothing(void **state)
{
    struct subject *subject = *state;

    apply(subject);
    assert_string_equal(subject->said, "");
}

static void test_schedule_names_the_thread_after_its_device(void **state)
{
    struct subject *subject = *state;
    char name[16];

    apply(subject);
    pthread_getname_np(subject->thread, name, sizeof(name));
    assert_string_equal(name, "aw:bench");
}

static void test_schedule_long_name_is_cut(void **state)
{
    struct subject *subject = *state;
    char name[16];

    strcpy(subject->config.name, "a_device_with_a_long_name");
    apply(subject);
    pthread_getname_np(subject->thread, name, sizeof(name));
    assert_string_equal(name, "aw:a_device_wit");
}

static void test_schedule_cpus_bind_the_thread(void **state)
{
    struct subject *subject = *state;
    cpu_set_t cpus;
    char text[16];
    int cpu = sched_getcpu();

    snprintf(text, sizeof(text), "%d", cpu);
    set_cpus(subject, text);
    apply(subject);
    pthread_getaffinity_np(subject->thread, sizeof(cpus), &cpus);
    assert_int_equal(CPU_COUNT(&cpus), 1);
    assert_true(CPU_ISSET((size_t)cpu, &cpus));
    assert_string_equal(subject->said, "");
}

static void test_schedule_missing_cpu_warns_and_runs_anywhere(void **state)
{
    struct subject *subject = *state;
    cpu_set_t before, after;

    pthread_getaffinity_np(subject->thread, sizeof(before), &before);
    set_cpus(subject, "1023");
    apply(subject);
    pthread_getaffinity_np(subject->thread, sizeof(after), &after);
    assert_true(CPU_EQUAL(&before, &after));
    check_said(subject, "warning: device bench: cpus 1023: Invalid argument");
}

static void test_schedule_priority_makes_it_realtime(void **state)
{
    struct subject *subject = *state;
    struct sched_param parameters;
    int policy;

    subject->config.common[AW_COMMON_PRIORITY].integer = 5;
    apply(subject);
    if (subject->said[0]) {
        print_message("SKIPPED: no SCHED_FIFO here: %s", subject->said);
        skip();
    }
    pthread_getschedparam(subject->thread, &policy, &parameters);
    assert_int_equal(policy, SCHED_FIFO);
    assert_int_equal(parameters.sched_priority, 5);
}

static void test_schedule_refused_priority_warns_with_remedy(void **state)
{
    struct subject *subject = *state;
    struct rlimit before, none = {0, 0};
    struct sched_param parameters;
    int policy;

    getrlimit(RLIMIT_RTPRIO, &before);
    none.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_RTPRIO, &none);
    set_capability(CAP_SYS_NICE, false);
    subject->config.common[AW_COMMON_PRIORITY].integer = 5;
    apply(subject);
    set_capability(CAP_SYS_NICE, true);
    setrlimit(RLIMIT_RTPRIO, &before);
    pthread_getschedparam(subject->thread, &policy, &parameters);
    /* As it was: what the test itself was started with. */
    assert_int_equal(policy, sched_getscheduler(0));
    check_said(subject, "device bench: priority 5: Operation not permitted");
    check_said(subject, "LimitRTPRIO=");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpus_single_parses),
        cmocka_unit_test(test_cpus_list_parses),
        cmocka_unit_test(test_cpus_range_parses),
        cmocka_unit_test(test_cpus_list_of_ranges_parses),
        cmocka_unit_test(test_cpus_named_twice_count_once),
        cmocka_unit_test(test_cpus_malformed_are_refused_and_leave_the_set),
        TEST(test_schedule_default_says_nothing),
        TEST(test_schedule_names_the_thread_after_its_device),
        TEST(test_schedule_long_name_is_cut),
        TEST(test_schedule_cpus_bind_the_thread),
        TEST(test_schedule_missing_cpu_warns_and_runs_anywhere),
        TEST(test_schedule_priority_makes_it_realtime),
        TEST(test_schedule_refused_priority_warns_with_remedy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
