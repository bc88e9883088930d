/* The two clocks a frame carries, in nanoseconds. */
#ifndef AW_CLOCK_H
#define AW_CLOCK_H

#include <stdint.h>
#include <time.h>

#define AW_NS_PER_S  UINT64_C(1000000000)
#define AW_NS_PER_MS UINT64_C(1000000)
#define AW_NS_PER_US UINT64_C(1000)

static inline uint64_t aw_clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * AW_NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline uint64_t aw_clock_realtime_ns(void)
{
    return aw_clock_ns(CLOCK_REALTIME);
}

static inline uint64_t aw_clock_monotonic_ns(void)
{
    return aw_clock_ns(CLOCK_MONOTONIC);
}

#endif
