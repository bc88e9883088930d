/* Stands before <time.h> where the leaf is built for the explorer: time stands
 * still until a scenario moves it. */
#include_next <time.h>

#ifndef AW_EXPLORE_TIME_H
#define AW_EXPLORE_TIME_H

int explore_clock(clockid_t clock, struct timespec *ret_now);

#define clock_gettime explore_clock

#endif
