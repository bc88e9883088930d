#include "daemon/help.h"

#include <ctype.h>
#include <string.h>

#include "devices/device_config.h"
#include "devices/driver_load.h"
#include "devices/options.h"

#define NAME_WIDTH 20

static const char synopsis[] =
    "awaitd " AW_VERSION " runs asyncio scripts that await frames from CAN, "
    "SPI,\n"
    "Ethernet, UDP and recorded logs. Readers in C fill a queue for each "
    "script, so\n"
    "that no frame is lost while Python is busy.\n"
    "\n"
    "  awaitd run [-d NAME=DRIVER:MAIN[,KEY=VALUE...]]... SCRIPT.py "
    "[ARGUMENT...]\n"
    "  awaitd run -c FILE [OPTION...] [SCRIPT.py [ARGUMENT...]]\n"
    "  awaitd check [--print-effective] FILE\n"
    "                           is this configuration right? opens nothing\n"
    "  awaitd devices [--json] [--root DIR]    what is there, and who may open "
    "it\n"
    "  awaitd help run          the options of run, exit status, stopping\n"
    "  awaitd help devices      every driver and its options\n"
    "  awaitd help devices ./MY_DRIVER.so    those of a driver of one's own\n"
    "  awaitd --version\n"
    "  awaitctl --help          a running awaitd: its state, frames, scripts\n";

static const char example[] =
    "\n"
    "Example, with nothing but a shell (bash):\n"
    "  cat > echo.py <<'END'\n"
    "  from awaitd.devices import net\n"
    "  queue = net.queue()\n"
    "  datagram = await queue.get()\n"
    "  print(datagram.data)\n"
    "  END\n"
    "  (sleep 1; echo hello > /dev/udp/127.0.0.1/5005) &\n"
    "  awaitd run -d net=udp:127.0.0.1:5005 echo.py\n";

static const char run_options[] =
    "awaitd run [OPTION...] [SCRIPT.py [ARGUMENT...]]\n"
    "\n"
    "Opens the devices, runs the scripts, and ends when the last script has.\n"
    "Everything after SCRIPT.py is the script's: its sys.argv[1:].\n"
    "\n"
    "  -c, --config FILE        devices and scripts from a YAML file\n"
    "  -d, --device SPEC        a device, as NAME=DRIVER:MAIN[,KEY=VALUE...];\n"
    "                           replaces the file's device of that name;\n"
    "                           each name once\n"
    "  -s, --script FILE        a further script, without arguments\n"
    "  -q, --quiet              no line at the start, no ledger at the end\n"
    "      --watch              reload a script when its file, or a module of "
    "its\n"
    "                           own folders, is saved\n"
    "      --stats-json FILE    the ledger as JSON at the end; - for stdout\n"
    "      --fail-on-drop       exit with 75 if a queue lost a frame\n"
    "      --print-effective    print the configuration that this comes to, "
    "and end\n"
    "      --socket PATH        where awaitctl finds this awaitd; `none`: "
    "nowhere\n"
    "      --service[=UNIT]     as a unit of systemd runs it: a missing device "
    "is\n"
    "                           waited for, unless it says `required: yes`; "
    "one\n"
    "                           that the unit keeps out names its drop-in\n"
    "  -h, --help               this\n";

static const char run_endings[] =
    "\n"
    "Exit status: the script's own (with several, that of the first one that "
    "failed)\n"
    "    0  after SIGTERM too\n"
    "    1  an uncaught exception; or a script did not stop, or blocked\n"
    "       for twice stall_kill_s, and was abandoned\n"
    "   64  the command line is wrong\n"
    "   69  a device is missing or refused\n"
    "   70  an error in awaitd itself\n"
    "   75  with --fail-on-drop: the scripts succeeded, but a queue lost "
    "frames "
    "in the\n"
    "       kernel or by overflow, or its ledger does not add up\n"
    "   78  a device or a script is configured wrongly\n"
    "  120  the script, the only one, succeeded, but the last of what it "
    "printed\n"
    "       could not be written\n"
    "  130  after Ctrl-C\n"
    "\n"
    "Reloading: SIGHUP reads the configuration again and puts the new version "
    "of each\n"
    "script that has changed in the place of the old one, without a lost\n"
    "frame; one with an error is thrown away.\n"
    "\n"
    "Stopping: SIGTERM and Ctrl-C cancel each script's main task once; its "
    "finally\n"
    "blocks may await and send. After stop_grace_s (5), or at a second Ctrl-C, "
    "it is\n"
    "cancelled again; after stop_timeout_s (10), or at a third, its stack is "
    "printed\n"
    "and the process ends. What was accepted for sending is sent first.\n";

static const char devices_head[] =
    "A device is NAME=DRIVER:MAIN[,KEY=VALUE...]; NAME is what a script "
    "imports from\n"
    "awaitd.devices, MAIN the value of the driver's main option (marked *). "
    "The same\n"
    "keys stand in a configuration file. A DRIVER with a / in it, or .so at "
    "its "
    "end,\n"
    "is a file to be loaded.\n";

static void print_upper(FILE *to, const char *text)
{
    for (; *text; text++)
        fputc(toupper((unsigned char)*text), to);
}

static void print_choices(const struct aw_option *option, FILE *to)
{
    const char *separator = "";

    for (const char *const *choice = option->choices; *choice; choice++) {
        fprintf(to, "%s%s", separator, *choice);
        separator = "|";
    }
}

/* A switch, so that the compiler asks for a word for each new type. */
static void print_type(const struct aw_option *option, FILE *to)
{
    switch (option->type) {
    case AW_OPTION_TEXT:
        fputs("text", to);
        break;
    case AW_OPTION_BOOL:
        fputs("yes|no", to);
        break;
    case AW_OPTION_INT:
        fputs("integer", to);
        break;
    case AW_OPTION_NUMBER:
        fputs("number", to);
        break;
    case AW_OPTION_CHOICE:
        print_choices(option, to);
        break;
    case AW_OPTION_PATH:
        fputs("file", to);
        break;
    }
}

/* Two lines where there is something to say; the second one is the shape. */
static void print_option(const struct aw_option *option, bool is_main, FILE *to)
{
    fprintf(to, "  %c %-*s %s\n", is_main ? '*' : ' ', NAME_WIDTH - 1,
            option->name, option->help ? option->help : "");
    fprintf(to, "    %*s", NAME_WIDTH, "");
    print_type(option, to);
    if (option->fallback)
        fprintf(to, ", default %s", option->fallback);
    if (option->required)
        fputs(", required", to);
    fputc('\n', to);
}

static void print_driver(const struct aw_driver *driver, FILE *to)
{
    const char *main_option = driver->main_option ? driver->main_option : "";
    const char *path = aw_driver_path(driver);

    fprintf(to, "\n%s: %s    NAME=%s", driver->name, driver->help,
            path ? path : driver->name);
    if (*main_option) {
        fputc(':', to);
        print_upper(to, main_option);
    }
    fputc('\n', to);
    for (size_t i = 0; i < driver->option_count; i++)
        print_option(&driver->options[i],
                     !strcmp(driver->options[i].name, main_option), to);
}

static void print_drivers(FILE *to)
{
    fputs("\nDrivers:\n", to);
    for (const struct aw_driver *const *driver = aw_drivers; *driver;
         driver++) {
        fprintf(to, "  %-8s ", (*driver)->name);
        fprintf(to, "%s\n", (*driver)->help);
    }
}

void aw_help_print(FILE *to)
{
    fputs(synopsis, to);
    print_drivers(to);
    fputs(example, to);
}

void aw_help_print_run(FILE *to)
{
    fputs(run_options, to);
    print_drivers(to);
    fputs(run_endings, to);
}

void aw_help_print_devices(FILE *to)
{
    fputs(devices_head, to);
    for (const struct aw_driver *const *driver = aw_drivers; *driver; driver++)
        print_driver(*driver, to);
    fputs("\nevery driver:\n", to);
    for (size_t i = 0; i < AW_COMMON_COUNT; i++)
        print_option(&aw_common_options[i], false, to);
}

void aw_help_print_driver(const struct aw_driver *driver, FILE *to)
{
    fputs(devices_head, to);
    print_driver(driver, to);
}
