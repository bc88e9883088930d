#include "daemon/span_clock.h"

#include "devices/queue/clock.h"

double aw_span_clock_s(void)
{
    return (double)aw_clock_monotonic_ns() / (double)AW_NS_PER_S;
}
