#include "daemon/arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_STATS_JSON = 256,
    OPTION_FAIL_ON_DROP,
    OPTION_JSON,
    OPTION_ROOT,
    OPTION_SERVICE,
    OPTION_SOCKET,
    OPTION_WATCH,
    OPTION_PRINT_EFFECTIVE,
};

/* A leading '+' stops at the script: what follows is the script's. The colon
 * tells a missing value from an unknown option. */
static const char short_options[] = "+:c:d:s:qh";
static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"device", required_argument, NULL, 'd'},
    {"script", required_argument, NULL, 's'},
    {"quiet", no_argument, NULL, 'q'},
    {"stats-json", required_argument, NULL, OPTION_STATS_JSON},
    {"fail-on-drop", no_argument, NULL, OPTION_FAIL_ON_DROP},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"watch", no_argument, NULL, OPTION_WATCH},
    {"print-effective", no_argument, NULL, OPTION_PRINT_EFFECTIVE},
    {"service", optional_argument, NULL, OPTION_SERVICE},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* `at` is the element that getopt stopped at; optopt is 0 for a long option
 * that it does not know. */
static int refuse_option(int found, const char *at, struct aw_error *error)
{
    const char *why =
        found == ':' ? "needs a value" : "is not known, or takes no value";

    if (optopt > 0 && optopt < OPTION_STATS_JSON)
        return aw_error_set(error, EINVAL, "option -%c %s", optopt, why);
    return aw_error_set(error, EINVAL, "option %s %s", at, why);
}

static void take_option(int found, struct aw_arguments *arguments)
{
    switch (found) {
    case 'c':
        arguments->config_path = optarg;
        break;
    case 'd':
        arguments->devices[arguments->device_count++] = optarg;
        break;
    case 's':
        arguments->scripts[arguments->script_count++] = optarg;
        break;
    case 'q':
        arguments->quiet = true;
        break;
    case 'h':
        arguments->command = AW_COMMAND_HELP_RUN;
        break;
    case OPTION_STATS_JSON:
        arguments->stats_path = optarg;
        break;
    case OPTION_WATCH:
        arguments->watch = true;
        break;
    case OPTION_PRINT_EFFECTIVE:
        arguments->command = AW_COMMAND_PRINT;
        break;
    case OPTION_SERVICE:
        arguments->service = true;
        arguments->unit = optarg;
        break;
    case OPTION_FAIL_ON_DROP:
        arguments->fail_on_drop = true;
        break;
    case OPTION_SOCKET:
        arguments->socket_path = optarg;
        break;
    default:
        break;
    }
}

/* A name given twice is a slip of the hand: with the second in place of the
 * first, the ledger would lack a device that was asked for. */
static int refuse_same_device(const struct aw_arguments *arguments,
                              struct aw_error *error)
{
    for (size_t i = 1; i < arguments->device_count; i++) {
        const char *device = arguments->devices[i];
        size_t length = strcspn(device, "=");

        for (size_t j = 0; j < i; j++)
            if (strcspn(arguments->devices[j], "=") == length &&
                !strncmp(arguments->devices[j], device, length))
                return aw_error_set(error, EINVAL,
                                    "option -d: device %.*s is given twice",
                                    (int)length, device);
    }
    return 0;
}

static int parse_run(int argc, char **argv, struct aw_arguments *arguments,
                     struct aw_error *error)
{
    int found;

    arguments->command = AW_COMMAND_RUN;
    arguments->devices = calloc((size_t)argc, sizeof(*arguments->devices));
    arguments->scripts = calloc((size_t)argc, sizeof(*arguments->scripts));
    if (!arguments->devices || !arguments->scripts)
        return aw_error_set(error, ENOMEM, "out of memory");
    opterr = 0;
    optind = 0; /* GNU: start afresh */
    while ((found = getopt_long(argc, argv, short_options, long_options,
                                NULL)) != -1) {
        if (found == '?' || found == ':')
            return refuse_option(found, argv[optind - 1], error);
        take_option(found, arguments);
        if (arguments->command == AW_COMMAND_HELP_RUN)
            return 0;
    }
    if (optind < argc)
        arguments->script = argv + optind;
    if (!arguments->script && arguments->script_count == 0 &&
        !arguments->config_path)
        return aw_error_set(error, EINVAL,
                            "run: name a script, or a configuration with -c");
    return refuse_same_device(arguments, error);
}

static int parse_check(int argc, char **argv, struct aw_arguments *arguments,
                       struct aw_error *error)
{
    static const struct option options[] = {
        {"print-effective", no_argument, NULL, OPTION_PRINT_EFFECTIVE},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int found;

    arguments->command = AW_COMMAND_CHECK;
    opterr = 0;
    optind = 0;
    while ((found = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (found == '?' || found == ':')
            return refuse_option(found, argv[optind - 1], error);
        if (found == 'h')
            arguments->command = AW_COMMAND_HELP;
        else
            arguments->print_effective = true;
    }
    if (arguments->command == AW_COMMAND_HELP)
        return 0;
    if (argc - optind != 1)
        return aw_error_set(error, EINVAL, "check takes one file");
    arguments->config_path = argv[optind];
    return 0;
}

static int parse_devices(int argc, char **argv, struct aw_arguments *arguments,
                         struct aw_error *error)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, OPTION_JSON},
        {"root", required_argument, NULL, OPTION_ROOT},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int found;

    arguments->command = AW_COMMAND_DEVICES;
    opterr = 0;
    optind = 0;
    while ((found = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
        if (found == '?' || found == ':')
            return refuse_option(found, argv[optind - 1], error);
        if (found == OPTION_JSON)
            arguments->json = true;
        else if (found == OPTION_ROOT)
            arguments->root_path = optarg;
        else
            arguments->command = AW_COMMAND_HELP;
    }
    if (optind < argc)
        return aw_error_set(error, EINVAL,
                            "devices takes no \"%s\"; awaitd help devices "
                            "lists the drivers",
                            argv[optind]);
    return 0;
}

static int parse_version(int argc, char **argv, struct aw_arguments *arguments,
                         struct aw_error *error)
{
    (void)argc;
    (void)argv;
    (void)error;
    arguments->command = AW_COMMAND_VERSION;
    return 0;
}

static void take_help_devices(int argc, char **argv,
                              struct aw_arguments *arguments)
{
    arguments->command = AW_COMMAND_HELP_DEVICES;
    arguments->driver_path = argc > 2 ? argv[2] : NULL;
}

static int parse_help(int argc, char **argv, struct aw_arguments *arguments,
                      struct aw_error *error)
{
    const char *topic = argc > 1 ? argv[1] : "";

    if (!strcmp(topic, "run"))
        arguments->command = AW_COMMAND_HELP_RUN;
    else if (!strcmp(topic, "devices"))
        take_help_devices(argc, argv, arguments);
    else if (!strcmp(topic, "") || !strcmp(topic, "check"))
        arguments->command = AW_COMMAND_HELP;
    else
        return aw_error_set(error, EINVAL,
                            "no help on \"%s\"; there is help on run and "
                            "devices",
                            topic);
    return 0;
}

static const struct {
    const char *name;
    int (*parse)(int argc, char **argv, struct aw_arguments *arguments,
                 struct aw_error *error);
} commands[] = {
    {"run", parse_run},         {"check", parse_check},
    {"devices", parse_devices}, {"help", parse_help},
    {"--help", parse_help},     {"-h", parse_help},
    {"version", parse_version}, {"--version", parse_version},
};

static bool ends_in_py(const char *word)
{
    size_t length = strlen(word);

    return length > 3 && !strcmp(word + length - 3, ".py");
}

static int parse_command(int argc, char **argv, struct aw_arguments *arguments,
                         struct aw_error *error)
{
    if (argc < 2)
        return aw_error_set(error, EINVAL,
                            "no command: run, check, devices or help");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].parse(argc - 1, argv + 1, arguments, error);
    if (ends_in_py(argv[1]))
        return aw_error_set(error, EINVAL,
                            "no command \"%s\"; did you mean: awaitd run %s",
                            argv[1], argv[1]);
    return aw_error_set(error, EINVAL,
                        "no command \"%s\"; there are run, check, devices "
                        "and help",
                        argv[1]);
}

int aw_arguments_parse(int argc, char **argv,
                       struct aw_arguments *ret_arguments,
                       struct aw_error *error)
{
    struct aw_arguments arguments = {0};
    int result = parse_command(argc, argv, &arguments, error);

    if (result < 0) {
        aw_arguments_deinit(&arguments);
        return result;
    }
    *ret_arguments = arguments;
    return 0;
}

void aw_arguments_deinit(struct aw_arguments *arguments)
{
    free(arguments->devices);
    free(arguments->scripts);
    *arguments = (struct aw_arguments){0};
}
