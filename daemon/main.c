/* The process: its standard files, its signals, and which command was meant. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/arguments.h"
#include "daemon/check.h"
#include "daemon/exit_status.h"
#include "daemon/help.h"
#include "daemon/list.h"
#include "daemon/run.h"
#include "devices/driver_load.h"
#include "devices/queue/log.h"
#include "devices/queue/roles.h"

#define ARENAS_MAX 2

/* Before there are threads. malloc would give each new one a heap of its own,
 * up to eight for each processor, for threads that contend for it: ours do not,
 * as readers do not allocate and scripts hold Python's lock. Each version of a
 * script is a new thread, and what lies about in all those heaps looks like a
 * leak. Whoever runs awaitd may want it otherwise. */
static void limit_arenas(void)
{
#ifdef M_ARENA_MAX
    const char *tunables = getenv("GLIBC_TUNABLES");

    if (!getenv("MALLOC_ARENA_MAX") &&
        !(tunables && strstr(tunables, "glibc.malloc.arena_max")))
        mallopt(M_ARENA_MAX, ARENAS_MAX);
#endif
}

/* Without this the first device that is opened might become stdout. */
static void open_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            /* The lowest free number, thus `fd`. */
            if (open("/dev/null", O_RDWR) < 0)
                _exit(AW_EXIT_INTERNAL);
}

/* Whatever we were started from: nothing blocked, because our threads and the
 * scripts' children inherit the mask; and a reader of our output that has gone
 * is an error of write(), not the end of every script. */
static void settle_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* AW_EXIT_OK if all of it could be written. */
static int flush_stdout(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return AW_EXIT_OK;
    aw_log(AW_LOG_ERROR, "cannot write to stdout");
    return AW_EXIT_INTERNAL;
}

/* Of awaitd's own drivers, or of the one in a file. */
static int help_devices(const char *path)
{
    const struct aw_driver *driver;
    struct aw_error error;

    if (!path) {
        aw_help_print_devices(stdout);
        return flush_stdout();
    }
    if (aw_driver_load(path, &driver, &error) < 0) {
        aw_log(AW_LOG_ERROR, "%s", error.text);
        return AW_EXIT_CONFIG;
    }
    aw_help_print_driver(driver, stdout);
    return flush_stdout();
}

static int list_devices(const struct aw_arguments *arguments)
{
    int status = aw_list_run(arguments->root_path, arguments->json);
    int flushed = flush_stdout();

    return status == AW_EXIT_OK ? flushed : status;
}

static int dispatch(const struct aw_arguments *arguments) AW_ON(main) AW_NO_GIL
{
    switch (arguments->command) {
    case AW_COMMAND_RUN:
        return aw_run(arguments);
    case AW_COMMAND_CHECK:
        return aw_check(arguments);
    case AW_COMMAND_PRINT:
        return aw_print_effective(arguments);
    case AW_COMMAND_DEVICES:
        return list_devices(arguments);
    case AW_COMMAND_VERSION:
        puts("awaitd " AW_VERSION);
        break;
    case AW_COMMAND_HELP:
        aw_help_print(stdout);
        break;
    case AW_COMMAND_HELP_RUN:
        aw_help_print_run(stdout);
        break;
    case AW_COMMAND_HELP_DEVICES:
        return help_devices(arguments->driver_path);
    }
    return flush_stdout();
}

int main(int argc, char **argv)
{
    struct aw_arguments arguments;
    struct aw_error error = {0};
    int status;

    aw_role_enter(AW_ROLE_MAIN);
    aw_role_assume(&aw_role_main);
    open_standard_files();
    settle_signals();
    limit_arenas();
    if (aw_arguments_parse(argc, argv, &arguments, &error) < 0) {
        aw_log(AW_LOG_ERROR, "%s (see awaitd --help)", error.text);
        return AW_EXIT_USAGE;
    }
    status = dispatch(&arguments);
    aw_arguments_deinit(&arguments);
    return status;
}
