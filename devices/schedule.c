#include "devices/schedule.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/queue/log.h"

/* Parses one number below CPU_SETSIZE and moves `*text` behind it. */
static int parse_cpu(const char **text)
{
    char *end;
    long cpu = strtol(*text, &end, 10);

    if (end == *text || cpu < 0 || cpu >= CPU_SETSIZE)
        return -EINVAL;
    *text = end;
    return (int)cpu;
}

int aw_schedule_parse_cpus(const char *text, cpu_set_t *ret_cpus)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    do {
        int first = parse_cpu(&text);
        int last = first;

        if (first >= 0 && *text == '-') {
            text++;
            last = parse_cpu(&text);
        }
        if (first < 0 || last < first || (*text != ',' && *text != '\0'))
            return -EINVAL;
        for (int cpu = first; cpu <= last; cpu++)
            CPU_SET((size_t)cpu, &cpus);
    } while (*text++ == ',');
    *ret_cpus = cpus;
    return 0;
}

static void apply_priority(pthread_t thread,
                           const struct aw_device_config *config)
{
    struct sched_param parameters = {
        .sched_priority = (int)config->common[AW_COMMON_PRIORITY].integer};
    int error;

    if (parameters.sched_priority == 0)
        return;
    error = pthread_setschedparam(thread, SCHED_FIFO, &parameters);
    if (error)
        aw_log(AW_LOG_WARNING,
               "device %s: priority %d: %s; the reader runs at normal "
               "priority (CAP_SYS_NICE or LimitRTPRIO= would allow it)",
               config->name, parameters.sched_priority, strerror(error));
}

static void apply_cpus(pthread_t thread, const struct aw_device_config *config)
{
    const struct aw_value *value = &config->common[AW_COMMON_CPUS];
    cpu_set_t cpus;
    int error = EINVAL;

    if (!value->set)
        return;
    if (aw_schedule_parse_cpus(value->text, &cpus) == 0)
        error = pthread_setaffinity_np(thread, sizeof(cpus), &cpus);
    if (error)
        aw_log(AW_LOG_WARNING,
               "device %s: cpus %s: %s; the reader runs on any processor",
               config->name, value->text, strerror(error));
}

void aw_schedule_apply(pthread_t thread, const struct aw_device_config *config)
{
    char name[16];

    snprintf(name, sizeof(name), "aw:%.12s", config->name);
    pthread_setname_np(thread, name);
    apply_priority(thread, config);
    apply_cpus(thread, config);
}
