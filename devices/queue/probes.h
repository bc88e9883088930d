/* Static probe points (USDT): what a tracer may hook into a running awaitd.
 *
 * Each is a nop in the code and a note in the file, by systemtap's <sys/sdt.h>;
 * where that header is not there to build with, or with -DAW_NO_PROBES, there
 * are none. Nothing is worked out for a probe alone: its arguments are what is
 * at hand. docs/tracing.md has the table of the probes. */
#ifndef AW_PROBES_H
#define AW_PROBES_H

#if __has_include(<sys/sdt.h>) && !defined(AW_NO_PROBES)
#include <sys/sdt.h>
#define AW_PROBE3(name, one, two, three)                                       \
    DTRACE_PROBE3(awaitd, name, one, two, three)
#define AW_PROBE4(name, one, two, three, four)                                 \
    DTRACE_PROBE4(awaitd, name, one, two, three, four)
#else
#define AW_PROBE3(name, one, two, three)       ((void)0)
#define AW_PROBE4(name, one, two, three, four) ((void)0)
#endif

#endif
