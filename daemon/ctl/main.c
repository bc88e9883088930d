/* awaitctl: asks a running awaitd, and tells it what to do. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/follow.h"
#include "daemon/ctl/link.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/top.h"

struct words {
    const char *socket;
    bool json, follow, openmetrics;
    bool has_count;
    unsigned long count; /* -n */
    double interval_s;   /* -i */
    const char *to;
    char **arguments; /* behind the command, NULL at the end */
};

struct command {
    const char *name;
    int least, most; /* arguments */
    int (*run)(const struct command *command, const struct words *words,
               struct aw_ctl_link *link);
    void (*show)(const json_t *result);
    const char *usage; /* behind the name */
    const char *help;
};

/* ---- commands ---- */

static int finish(const struct command *command, const struct words *words,
                  json_t *result)
{
    if (words->json) {
        json_dumpf(result, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (command->show) {
        command->show(result);
    }
    json_decref(result);
    return AW_CTL_OK;
}

static int run_plain(const struct command *command, const struct words *words,
                     struct aw_ctl_link *link)
{
    json_t *result;
    int status = aw_ctl_ask_for(link, command->name, &result);

    return status == AW_CTL_OK ? finish(command, words, result) : status;
}

static int run_metrics(const struct command *command, const struct words *words,
                       struct aw_ctl_link *link)
{
    json_t *result;
    int status = aw_ctl_ask(link,
                            json_pack("{s:s, s:b}", "command", "metrics",
                                      "openmetrics", (int)words->openmetrics),
                            &result);

    return status == AW_CTL_OK ? finish(command, words, result) : status;
}

static int run_send(const struct command *command, const struct words *words,
                    struct aw_ctl_link *link)
{
    json_t *result;
    int status =
        aw_ctl_ask(link,
                   json_pack("{s:s, s:s, s:s, s:s*}", "command", "send",
                             "device", words->arguments[0], "frame",
                             words->arguments[1], "to", words->to),
                   &result);

    return status == AW_CTL_OK ? finish(command, words, result) : status;
}

/* What became of it, and as which generation it runs now, if it does. */
static void show_success(const char *command, const json_t *reply)
{
    const char *text = aw_ctl_text(reply, "text");

    printf("%s: %s", aw_ctl_text(reply, "script"), text[0] ? text : "done");
    if (strcmp(command, "stop") != 0 && strcmp(text, "stopped") != 0 &&
        strcmp(text, "removed") != 0)
        printf(", generation %llu",
               (unsigned long long)aw_ctl_count(reply, "generation"));
    putchar('\n');
}

/* One line for each script. Notes are none. */
static void show_replies(const char *command, const json_t *result)
{
    const json_t *list = json_object_get(result, "scripts");
    const json_t *notes = json_object_get(result, "notes");

    for (size_t i = 0; i < json_array_size(notes); i++)
        fprintf(stderr, "%s\n", json_string_value(json_array_get(notes, i)));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *reply = json_array_get(list, i);

        if (json_is_true(json_object_get(reply, "ok")))
            show_success(command, reply);
        else
            fprintf(stderr, "%s: %s\n", aw_ctl_text(reply, "script"),
                    aw_ctl_text(reply, "text"));
    }
}

/* A failure of one is one of the whole. */
static int judge_replies(const json_t *result)
{
    const json_t *list = json_object_get(result, "scripts");

    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_true(json_object_get(json_array_get(list, i), "ok")))
            return AW_CTL_REFUSED;
    return AW_CTL_OK;
}

static int run_scripts(const struct command *command, const struct words *words,
                       struct aw_ctl_link *link)
{
    json_t *result;
    int status = aw_ctl_ask(link,
                            json_pack("{s:s, s:s*}", "command", command->name,
                                      "script", words->arguments[0]),
                            &result);

    if (status != AW_CTL_OK)
        return status;
    status = judge_replies(result);
    if (words->json) {
        json_dumpf(result, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        show_replies(command->name, result);
    }
    json_decref(result);
    return status;
}

static int run_dump(const struct command *command, const struct words *words,
                    struct aw_ctl_link *link)
{
    (void)command;
    return aw_ctl_dump(link, words->arguments[0], words->json, words->count);
}

static int run_log(const struct command *command, const struct words *words,
                   struct aw_ctl_link *link)
{
    (void)command;
    return aw_ctl_log(link, words->json, words->follow,
                      words->has_count ? words->count : 100);
}

static int run_top(const struct command *command, const struct words *words,
                   struct aw_ctl_link *link)
{
    (void)command;
    return aw_ctl_top(link, words->json, words->count, words->interval_s);
}

static const struct command commands[] = {
    {"status", 0, 0, run_plain, aw_ctl_show_status, "",
     "which awaitd this is, and is all accounted for"},
    {"devices", 0, 0, run_plain, aw_ctl_show_devices, "",
     "their links, and what they sent"},
    {"queues", 0, 0, run_plain, aw_ctl_show_queues, "", "the ledger of each"},
    {"scripts", 0, 0, run_plain, aw_ctl_show_scripts, "",
     "what they do, and what became of them"},
    {"reload", 0, 1, run_scripts, NULL, "[SCRIPT]",
     "a new version in its place; without SCRIPT for\n"
     "                           all that changed, and the configuration"},
    {"restart", 0, 1, run_scripts, NULL, "[SCRIPT]", "end, and start again"},
    {"stop", 0, 1, run_scripts, NULL, "[SCRIPT]", "end, and leave it so"},
    {"top", 0, 0, run_top, NULL, "",
     "rates, depths and losses, live; -n ROUNDS, -i SECONDS"},
    {"log", 0, 0, run_log, NULL, "",
     "awaitd's last lines; -n LINES, -f goes on"},
    {"dump", 1, 1, run_dump, NULL, "NAME[,ID:MASK]...",
     "a device's frames as candump -L; -n FRAMES"},
    {"send", 2, 2, run_send, NULL, "NAME FRAME",
     "a frame, as 123#0102; --to HOST:PORT for datagrams"},
    {"metrics", 0, 0, run_metrics, aw_ctl_show_metrics, "",
     "all counters for Prometheus; --openmetrics"},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

/* ---- the command line ---- */

static void print_help(void)
{
    puts("awaitctl [--socket PATH] [--json] COMMAND [ARGUMENT...]\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char words[64];

        snprintf(words, sizeof(words), "%s %s", commands[i].name,
                 commands[i].usage);
        printf("  %-24s %s\n", words, commands[i].help);
    }
    puts("\n"
         "  --socket PATH  the daemon's; or $AWAITD_SOCKET; else\n"
         "                 $XDG_RUNTIME_DIR/awaitd/control.sock (not for "
         "root),\n"
         "                 if an awaitd runs there; or "
         "/run/awaitd/control.sock\n"
         "  --json         for programs (docs/control.md)\n"
         "  --version\n\n"
         "Exit status: 0; 1 the daemon refuses; 64 the command line is wrong;\n"
         "69 there is no daemon, or it has ended.");
}

enum { OPTION_JSON = 256, OPTION_TO, OPTION_OPENMETRICS, OPTION_VERSION };

static const struct option options[] = {
    {"socket", required_argument, NULL, 's'},
    {"json", no_argument, NULL, OPTION_JSON},
    {"follow", no_argument, NULL, 'f'},
    {"to", required_argument, NULL, OPTION_TO},
    {"openmetrics", no_argument, NULL, OPTION_OPENMETRICS},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static int refuse(const char *what, const char *why)
{
    fprintf(stderr, "awaitctl: %s %s (see awaitctl --help)\n", what, why);
    return AW_CTL_USAGE;
}

static bool parse_count(const char *text, unsigned long *ret_count)
{
    char *end;
    unsigned long count = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end || count > 1000000000)
        return false;
    *ret_count = count;
    return true;
}

static bool parse_interval(const char *text, double *ret_seconds)
{
    char *end;
    double seconds = strtod(text, &end);

    if (*end || !(seconds >= 0.01 && seconds <= 3600))
        return false;
    *ret_seconds = seconds;
    return true;
}

/* Returns -1 to go on, or the exit status. */
static int take_option(int found, struct words *words)
{
    switch (found) {
    case 's':
        words->socket = optarg;
        return -1;
    case OPTION_JSON:
        words->json = true;
        return -1;
    case 'f':
        words->follow = true;
        return -1;
    case OPTION_TO:
        words->to = optarg;
        return -1;
    case OPTION_OPENMETRICS:
        words->openmetrics = true;
        return -1;
    case 'n':
        words->has_count = true;
        return parse_count(optarg, &words->count)
                   ? -1
                   : refuse("-n", "takes a number");
    case 'i':
        return parse_interval(optarg, &words->interval_s)
                   ? -1
                   : refuse("-i", "takes seconds, 0.01 to 3600");
    case OPTION_VERSION:
        puts("awaitctl " AW_VERSION);
        return AW_CTL_OK;
    default:
        print_help();
        return AW_CTL_OK;
    }
}

static int parse(int argc, char **argv, struct words *words)
{
    int found, status;

    opterr = 0;
    while ((found = getopt_long(argc, argv, ":s:fhn:i:", options, NULL)) !=
           -1) {
        if (found == '?' || found == ':')
            return refuse(argv[optind - 1],
                          found == ':' ? "needs a value" : "is not known");
        status = take_option(found, words);
        if (status >= 0)
            return status;
    }
    words->arguments = argv + optind;
    return -1;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

static int run(const struct command *command, const struct words *words)
{
    struct aw_ctl_link link;
    int status = aw_ctl_connect(words->socket, &link);

    if (status != AW_CTL_OK)
        return status;
    status = command->run(command, words, &link);
    aw_ctl_close(&link);
    if (fflush(stdout) != 0 && status == AW_CTL_OK)
        status = AW_CTL_INTERNAL;
    return status;
}

int main(int argc, char **argv)
{
    struct words words = {.interval_s = 1};
    int status = parse(argc, argv, &words);
    const struct command *command;
    int count;

    if (status >= 0)
        return status;
    if (optind == argc)
        return refuse("a command", "is missing");
    command = find_command(*words.arguments++);
    if (!command)
        return refuse(words.arguments[-1], "is no command");
    count = argc - optind - 1;
    if (count < command->least || count > command->most)
        return refuse(command->name, command->usage[0]
                                         ? command->usage
                                         : "takes no further words");
    return run(command, &words);
}
