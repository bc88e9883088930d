#include "daemon/run.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "daemon/control.h"
#include "daemon/device_table.h"
#include "daemon/drop_in.h"
#include "daemon/exit_status.h"
#include "daemon/ledger_table.h"
#include "daemon/log_ring.h"
#include "daemon/output.h"
#include "daemon/package_path.h"
#include "daemon/reconfigure.h"
#include "daemon/report.h"
#include "daemon/runtime.h"
#include "daemon/service.h"
#include "daemon/settings.h"
#include "daemon/stats_json.h"
#include "devices/device.h"
#include "devices/device_config.h"
#include "devices/queue/log.h"

/* For the last lines of scripts: as long as one in each goes out, so many. */
#define OUTPUT_TIMEOUT_S 1.0
#define OUTPUT_TIMEOUTS  10

struct run {
    const struct aw_arguments *arguments;
    struct aw_config *config;
    FILE *stats; /* of --stats-json, or NULL */
    struct aw_runtime *runtime;
    struct aw_service *service; /* or NULL: nobody wants to be told */
    struct aw_log_ring *log;
    struct aw_control *control;
    struct aw_output *output; /* NULL: scripts write for themselves */
    bool plain;               /* they do, for as long as there is one */
    uint64_t dropped_lines;   /* of theirs, known at the end */
    struct aw_reconfigure *reconfigure;
    struct aw_device_table devices;
    /* As it was at the start. */
    struct aw_host_script *scripts;
    struct aw_supervision *supervisions;
    size_t script_count;
    struct aw_runtime_config runtime_config;
    char package_path[PATH_MAX];
};

/* ---- before ---- */

/* Says that `what` failed for want of something. */
static int lack(const char *what, int result)
{
    aw_log(AW_LOG_ERROR, "%s: %s", what, strerror(-result));
    return AW_EXIT_INTERNAL;
}

static int open_stats(struct run *run)
{
    const char *path = run->arguments->stats_path;

    if (!path)
        return AW_EXIT_OK;
    run->stats = strcmp(path, "-") ? fopen(path, "we") : stdout;
    if (run->stats)
        return AW_EXIT_OK;
    aw_log(AW_LOG_ERROR, "cannot write --stats-json %s: %s", path,
           strerror(errno));
    return AW_EXIT_USAGE;
}

static int configure(struct run *run)
{
    struct aw_error error = {.text = ""};
    int result = aw_settings_load(run->arguments, &run->config, &error);

    if (result == 0)
        return AW_EXIT_OK;
    aw_log(AW_LOG_ERROR, "%s", error.text);
    return result == -ENOMEM ? AW_EXIT_INTERNAL : AW_EXIT_CONFIG;
}

/* Most sentences name the device already, but a driver may leave that out. */
static int refuse_device(const char *name, int result,
                         const struct aw_error *error)
{
    if (!strncmp(error->text, "device ", strlen("device ")))
        aw_log(AW_LOG_ERROR, "%s", error->text);
    else
        aw_log(AW_LOG_ERROR, "device %s: %s", name,
               error->text[0] ? error->text : strerror(-result));
    return result == -ENOMEM ? AW_EXIT_INTERNAL : AW_EXIT_UNAVAILABLE;
}

/* Before there are threads, as it changes the environment. */
static int open_service(struct run *run) AW_ON(main) AW_NO_GIL
{
    struct aw_error error = {0};

    if (aw_service_new(&run->service, &error) == 0)
        return AW_EXIT_OK;
    aw_log(AW_LOG_ERROR, "%s", error.text);
    return AW_EXIT_UNAVAILABLE;
}

static int start_service(struct run *run) AW_ON(main) AW_NO_GIL
{
    const struct aw_service_config config = {
        .devices = &run->devices,
        .reconfigure = run->reconfigure,
        .runtime = run->runtime,
        .times = &run->runtime_config,
    };

    return aw_service_start(run->service, &config) < 0 ? AW_EXIT_INTERNAL
                                                       : AW_EXIT_OK;
}

static int open_devices(struct run *run) AW_ON(main)
{
    const struct aw_config *config = run->config;

    if (aw_device_table_reserve(&run->devices, config->device_count) < 0)
        return lack("cannot open devices", -ENOMEM);
    for (size_t i = 0; i < config->device_count; i++) {
        struct aw_device *device;
        struct aw_error error = {0};
        int result = aw_device_open(config->devices[i], &device, &error);

        if (result < 0)
            return refuse_device(config->devices[i]->name, result, &error);
        aw_device_table_add(&run->devices, device);
    }
    return AW_EXIT_OK;
}

static int fill_scripts(struct run *run)
{
    const struct aw_config *config = run->config;
    struct aw_error error = {.text = ""};

    run->scripts = calloc(config->script_count, sizeof(*run->scripts));
    run->supervisions =
        calloc(config->script_count, sizeof(*run->supervisions));
    if (!run->scripts || !run->supervisions)
        return lack("cannot run scripts", -ENOMEM);
    run->script_count = config->script_count;
    for (size_t i = 0; i < config->script_count; i++) {
        int result = aw_settings_script(&config->scripts[i], &run->scripts[i],
                                        &run->supervisions[i], &error);

        if (result == 0)
            continue;
        aw_log(AW_LOG_ERROR, "%s", error.text);
        return result == -ENOMEM ? AW_EXIT_INTERNAL : AW_EXIT_CONFIG;
    }
    return AW_EXIT_OK;
}

/* One script in the foreground prints as in python3, so that its output can be
 * piped whole: until a reload, which only a file makes possible, adds another
 * one. */
static int start_output(struct run *run)
{
    bool alone = run->script_count == 1 &&
                 !aw_output_is_journal(STDOUT_FILENO) &&
                 !aw_output_is_journal(STDERR_FILENO);
    int result;

    if (alone && !run->arguments->config_path)
        return AW_EXIT_OK;
    run->plain = alone;
    result = aw_output_start(&run->output);
    return result < 0 ? lack("cannot write what scripts print", result)
                      : AW_EXIT_OK;
}

static int fill_runtime_config(struct run *run)
{
    const struct aw_config *config = run->config;
    int status = fill_scripts(run);

    if (status == AW_EXIT_OK)
        status = start_output(run);
    if (status != AW_EXIT_OK)
        return status;
    aw_package_path(run->package_path);
    run->runtime_config = (struct aw_runtime_config){
        .host = {.devices = run->devices.devices,
                 .device_count = run->devices.count,
                 .scripts = run->scripts,
                 .script_count = config->script_count,
                 .package_path = run->package_path,
                 .cwd = config->cwd,
                 .venv = config->venv,
                 .output = run->output ? aw_output_for_host(run->output)
                                       : (struct aw_host_output){0},
                 .plain_alone = run->plain},
        .supervisor = {.scripts = run->supervisions},
        .devices = &run->devices,
        .reconfigure = run->reconfigure,
        .watch = run->arguments->watch,
    };
    aw_settings_times(config, &run->runtime_config);
    return AW_EXIT_OK;
}

static int make_reconfigure(struct run *run) AW_ON(main) AW_NO_GIL
{
    const struct aw_reconfigure_config config = {
        .arguments = run->arguments,
        .config = &run->config,
        .devices = &run->devices,
        .runtime = run->runtime,
        .runtime_config = &run->runtime_config,
    };
    int result = aw_reconfigure_new(&config, &run->reconfigure);

    return result < 0 ? lack("cannot be reloaded", result) : AW_EXIT_OK;
}

static int open_control(struct run *run) AW_ON(main) AW_NO_GIL
{
    const char *origin;
    const char *flag = aw_settings_socket(run->arguments, &origin);
    const struct aw_control_config config = {
        .path = flag ? flag : run->config->control_socket,
        .read_group = run->config->control_read_group,
        .admin_group = run->config->control_admin_group,
        .metrics_listen = run->config->metrics_listen,
        .devices = &run->devices,
        .reconfigure = run->reconfigure,
        .log = run->log,
        .loop = aw_runtime_loop(run->runtime),
        .runtime = run->runtime,
    };
    struct aw_error error = {0};
    int result = aw_control_new(&config, &run->control, &error);

    if (result == 0)
        return AW_EXIT_OK;
    aw_log(AW_LOG_ERROR, "%s", error.text);
    return result == -EINVAL ? AW_EXIT_CONFIG : AW_EXIT_UNAVAILABLE;
}

/* For Python and the scripts; before there are threads that might look. */
static int set_environment(const struct aw_config *config)
{
    for (char *const *text = config->environment; text && *text; text++) {
        const char *value = strchr(*text, '=') + 1;
        char *name = strndup(*text, (size_t)(value - *text) - 1);
        int result = name && setenv(name, value, 1) == 0 ? 0 : -ENOMEM;

        free(name);
        if (result < 0)
            return lack("cannot set `environment`", result);
    }
    return AW_EXIT_OK;
}

static int open_runtime(struct run *run) AW_ON(main) AW_NO_GIL
{
    int result = aw_runtime_new(&run->runtime);

    return result < 0 ? lack("cannot begin", result) : AW_EXIT_OK;
}

/* Takes the signals before the first device is opened, so that a SIGTERM in
 * between is not the end of it. */
static int prepare(struct run *run) AW_ON(main) AW_NO_GIL
{
    int status = open_stats(run);

    if (status == AW_EXIT_OK)
        status = configure(run);
    if (status == AW_EXIT_OK)
        status = set_environment(run->config);
    if (status == AW_EXIT_OK)
        status = open_runtime(run);
    if (status == AW_EXIT_OK)
        status = open_service(run);
    if (status == AW_EXIT_OK && run->arguments->service &&
        !aw_drop_ins_check(run->config, run->arguments->unit))
        status = AW_EXIT_UNAVAILABLE;
    if (status == AW_EXIT_OK)
        status = open_devices(run);
    if (status == AW_EXIT_OK)
        status = make_reconfigure(run);
    if (status == AW_EXIT_OK)
        status = open_control(run);
    if (status == AW_EXIT_OK)
        status = start_service(run);
    if (status == AW_EXIT_OK)
        status = fill_runtime_config(run);
    return status;
}

/* "logger.py, echo.py" or "CANbus (can:can0), net (udp:127.0.0.1:5005)". */
static void list_scripts(const struct aw_config *config, FILE *to)
{
    for (size_t i = 0; i < config->script_count; i++) {
        const char *slash = strrchr(config->scripts[i].path, '/');

        fprintf(to, "%s%s", i > 0 ? ", " : "",
                slash ? slash + 1 : config->scripts[i].path);
    }
}

static void list_devices(const struct aw_config *config, FILE *to)
{
    for (size_t i = 0; i < config->device_count; i++) {
        const struct aw_device_config *device = config->devices[i];
        const struct aw_driver *driver = device->driver;
        int main_option = aw_options_find(driver->options, driver->option_count,
                                          driver->main_option);

        fprintf(to, "%s%s (%s", i > 0 ? ", " : " with ", device->name,
                driver->name);
        if (main_option >= 0 && device->values[main_option].set)
            fprintf(to, ":%s", device->values[main_option].text);
        fputc(')', to);
    }
}

static void announce(const struct aw_config *config)
{
    char line[900];
    FILE *to = fmemopen(line, sizeof(line), "w");

    if (!to)
        return;
    list_scripts(config, to);
    list_devices(config, to);
    fclose(to);
    line[sizeof(line) - 1] = '\0';
    aw_log(AW_LOG_INFO, AW_VERSION " runs %s", line);
}

/* ---- after ---- */

/* The devices there are, and those that were leaving. Returns 0 or -ENOMEM. */
static int collect(const struct aw_device_table *table,
                   struct aw_report *ret_report) AW_ON(main) AW_NO_GIL
{
    size_t count = 0;
    struct aw_device **devices =
        calloc(table->count + table->leaving_count + 1, sizeof(*devices));
    int result;

    if (!devices)
        return -ENOMEM;
    for (size_t i = 0; i < table->count; i++)
        devices[count++] = table->devices[i];
    for (size_t i = 0; i < table->leaving_count; i++)
        devices[count++] = table->leaving[i].device;
    result = aw_report_collect(devices, count, ret_report);
    free(devices);
    return result;
}

static bool write_stats(const struct run *run, const struct aw_report *report,
                        int status)
{
    int result = aw_stats_json_write(report, status, run->stats);

    if (result < 0)
        aw_log(AW_LOG_ERROR, "cannot write --stats-json %s: %s",
               run->arguments->stats_path, strerror(-result));
    return result == 0;
}

/* The last word on the exit status: a loss counts where nothing else failed. */
static int settle(struct run *run, int status) AW_ON(main) AW_NO_GIL
{
    struct aw_report report;

    if (collect(&run->devices, &report) < 0) {
        aw_log(AW_LOG_ERROR, "not enough memory for the ledger");
        return AW_EXIT_INTERNAL;
    }
    report.dropped_lines = run->dropped_lines;
    if ((status == AW_EXIT_OK || status == AW_EXIT_OUTPUT) &&
        run->arguments->fail_on_drop &&
        !(aw_report_lossless(&report) && aw_report_exact(&report) &&
          !run->devices.lossy && !run->devices.inexact))
        status = AW_EXIT_LOSS;
    if (!run->arguments->quiet && report.device_count > 0)
        aw_ledger_table_print(&report, NULL);
    if (run->stats && !write_stats(run, &report, status) &&
        status == AW_EXIT_OK)
        status = AW_EXIT_INTERNAL;
    aw_report_deinit(&report);
    return status;
}

/* Whether all was written; somebody may read it slowly. */
static bool drain_output(const struct run *run)
{
    const struct aw_host_output *host = &run->runtime_config.host.output;
    uint64_t left = aw_output_unwritten(run->output), before;
    int again = OUTPUT_TIMEOUTS;

    do {
        if (host->drain(host->context, OUTPUT_TIMEOUT_S))
            return true;
        before = left;
        left = aw_output_unwritten(run->output);
    } while (left < before && --again > 0);
    return false;
}

/* What scripts have printed comes before the ledger, which ends all. True if
 * nobody reads it. Scripts that were abandoned may print on: then the writer
 * stays, and only gets the time to write what is there. */
static bool stop_output(struct run *run, bool abandoned)
{
    struct aw_output *output = run->output;
    bool stuck;

    if (!output)
        return false;
    stuck = !drain_output(run);
    if (stuck)
        aw_output_give_up(output, OUTPUT_TIMEOUT_S);
    run->dropped_lines = aw_output_unwritten(output);
    if (stuck)
        aw_log(AW_LOG_WARNING,
               "%llu lines of output lost: "
               "nobody reads them, or too slowly",
               (unsigned long long)run->dropped_lines);
    if (stuck || abandoned)
        return stuck;
    run->output = NULL;
    return aw_output_stop(output, OUTPUT_TIMEOUT_S);
}

/* systemd starts nothing again that ends with these: they are awaitd's own word
 * on its command line and configuration (the unit's
 * RestartPreventExitStatus=). */
static int restartable(const struct run *run, int status)
{
    if (!run->arguments->service ||
        (status != AW_EXIT_USAGE && status != AW_EXIT_CONFIG))
        return status;
    aw_log(AW_LOG_WARNING,
           "a script ended with status %d, which systemd takes for a wrong %s "
           "and starts nothing again: ending with status %d instead",
           status, status == AW_EXIT_USAGE ? "command line" : "configuration",
           AW_EXIT_SCRIPT);
    return AW_EXIT_SCRIPT;
}

static int execute(struct run *run) AW_ON(main) AW_NO_GIL
{
    struct aw_outcome outcome = {0};
    struct aw_error error = {0};
    int result;
    bool stuck;

    announce(run->config);
    result =
        aw_runtime_run(run->runtime, &run->runtime_config, &outcome, &error);
    /* Its own queues are in no ledger that is printed. */
    aw_control_free(run->control);
    run->control = NULL;
    if (result < 0) {
        aw_log(AW_LOG_ERROR, "%s", error.text);
        return AW_EXIT_INTERNAL;
    }
    stuck = stop_output(run, outcome.abandoned);
    outcome.status = settle(run, restartable(run, outcome.status));
    /* Threads still use what we would free. */
    if (outcome.abandoned || stuck)
        _exit(outcome.status);
    return outcome.status;
}

/* The runtime last: as long as it lives, a signal does not cut this short. */
static void clean_up(struct run *run) AW_ON(main) AW_NO_GIL
{
    /* Only after a failure; a writer that stands uses what we would free. */
    if (aw_output_stop(run->output, OUTPUT_TIMEOUT_S))
        return;
    aw_device_table_close_all(&run->devices);
    aw_control_free(run->control);
    aw_reconfigure_free(run->reconfigure);
    aw_device_table_deinit(&run->devices);
    for (size_t i = 0; run->scripts && i < run->script_count; i++)
        aw_settings_script_deinit(&run->scripts[i]);
    free(run->scripts);
    free(run->supervisions);
    aw_config_free(run->config);
    if (run->stats && run->stats != stdout)
        fclose(run->stats);
    aw_service_free(run->service);
    aw_runtime_free(run->runtime);
    aw_log_ring_free(run->log);
}

int aw_run(const struct aw_arguments *arguments)
{
    struct run run = {.arguments = arguments};
    int status, result;

    AW_ASSERT_ROLE(MAIN);
    aw_log_limit(arguments->quiet ? AW_LOG_WARNING : AW_LOG_INFO);
    result = aw_log_ring_new(&run.log);
    status = result < 0 ? lack("cannot keep a log", result) : prepare(&run);
    if (status == AW_EXIT_OK)
        status = execute(&run);
    clean_up(&run);
    return status;
}
