#include "config/document.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/device.h"
#include "devices/device_config.h"
#include "devices/driver_load.h"

const struct aw_option aw_settings[AW_SETTING_COUNT] = {
    [AW_SETTING_STOP_GRACE] =
        {
            .name = "stop_grace_s",
            .type = AW_OPTION_NUMBER,
            .maximum = 3600,
            .help = "seconds that a script's `finally:` blocks may take",
        },
    [AW_SETTING_STOP_TIMEOUT] =
        {
            .name = "stop_timeout_s",
            .type = AW_OPTION_NUMBER,
            .maximum = 3600,
            .help = "seconds after which a script that goes on is ended",
        },
    [AW_SETTING_START_TIMEOUT] =
        {
            .name = "start_timeout_s",
            .type = AW_OPTION_NUMBER,
            .maximum = 3600,
            .help = "seconds that a new version may take to its first await",
        },
    [AW_SETTING_RELOAD_SETTLE] =
        {
            .name = "reload_settle_s",
            .type = AW_OPTION_NUMBER,
            .maximum = 3600,
            .help = "seconds in which an error brings the old version back",
        },
    [AW_SETTING_STALL] =
        {
            .name = "stall_ms",
            .type = AW_OPTION_NUMBER,
            .maximum = 3600000,
            .help = "milliseconds that a loop may be blocked unmentioned",
        },
    [AW_SETTING_STALL_KILL] =
        {
            .name = "stall_kill_s",
            .type = AW_OPTION_NUMBER,
            .maximum = 3600,
            .help = "seconds after which a blocked loop is interrupted",
        },
    [AW_SETTING_CWD] = {.name = "cwd",
                        .type = AW_OPTION_PATH,
                        .help = "the folder that scripts run in"},
    [AW_SETTING_VENV] = {.name = "venv",
                         .type = AW_OPTION_PATH,
                         .help = "a virtual environment of this Python"},
};

static const char *const restarts[] = {"no", "on-failure", "always", NULL};
static const char *const backlogs[] = {"keep", "flush", NULL};
static const char *const states[] = {"keep", "persist", NULL};

const struct aw_option aw_script_options[AW_SCRIPT_KEY_COUNT] = {
    [AW_SCRIPT_KEY_RESTART] = {.name = "restart",
                               .type = AW_OPTION_CHOICE,
                               .fallback = "no",
                               .choices = restarts,
                               .help = "when it is started again"},
    [AW_SCRIPT_KEY_RESTART_DELAY] = {.name = "restart_delay_s",
                                     .type = AW_OPTION_NUMBER,
                                     .fallback = "0.5",
                                     .maximum = 30,
                                     .help = "seconds before the first "
                                             "restart; then twice as long"},
    [AW_SCRIPT_KEY_RESTART_LIMIT] = {.name = "restart_limit",
                                     .type = AW_OPTION_INT,
                                     .fallback = "5",
                                     .maximum = 1000000,
                                     .help = "restarts in restart_interval_s "
                                             "before it is given up; 0: any"},
    [AW_SCRIPT_KEY_RESTART_INTERVAL] = {.name = "restart_interval_s",
                                        .type = AW_OPTION_NUMBER,
                                        .fallback = "60",
                                        .maximum = 1000000,
                                        .help = "seconds that a healthy run "
                                                "lasts"},
    [AW_SCRIPT_KEY_ON_RESTART] = {.name = "on_restart",
                                  .type = AW_OPTION_CHOICE,
                                  .fallback = "keep",
                                  .choices = backlogs,
                                  .help = "what becomes of pending frames"},
    [AW_SCRIPT_KEY_STATE] = {.name = "state",
                             .type = AW_OPTION_CHOICE,
                             .fallback = "keep",
                             .choices = states,
                             .help = "how long awaitd.script.state lives"},
    [AW_SCRIPT_KEY_STALL] = {.name = "stall_ms",
                             .type = AW_OPTION_NUMBER,
                             .maximum = 3600000,
                             .help = "milliseconds that its loop may be "
                                     "blocked unmentioned"},
    [AW_SCRIPT_KEY_STALL_KILL] = {.name = "stall_kill_s",
                                  .type = AW_OPTION_NUMBER,
                                  .maximum = 3600,
                                  .help = "seconds after which its loop, "
                                          "blocked, is interrupted"},
};

const struct aw_option aw_control_keys[AW_CONTROL_KEY_COUNT] = {
    [AW_CONTROL_SOCKET] = {.name = "socket",
                           .type = AW_OPTION_PATH,
                           .help = "the control socket; `none`: there is none"},
    [AW_CONTROL_READ_GROUP] = {.name = "read_group",
                               .type = AW_OPTION_TEXT,
                               .help = "a group that may look"},
    [AW_CONTROL_ADMIN_GROUP] = {.name = "admin_group",
                                .type = AW_OPTION_TEXT,
                                .help = "a group that may change things"},
};

const struct aw_option aw_metrics_keys[AW_METRICS_KEY_COUNT] = {
    [AW_METRICS_LISTEN] = {.name = "listen",
                           .type = AW_OPTION_TEXT,
                           .help = "HOST:PORT that serves /metrics"},
};

/* ---- the schema ---- */

struct aw_schema {
    cyaml_schema_value_t root;
    cyaml_schema_value_t device;
    cyaml_schema_value_t script;
    cyaml_schema_value_t argument;
    cyaml_schema_field_t root_fields[AW_SETTING_COUNT + 6];
    cyaml_schema_field_t control_fields[AW_CONTROL_KEY_COUNT + 1];
    cyaml_schema_field_t metrics_fields[AW_METRICS_KEY_COUNT + 1];
    cyaml_schema_field_t script_fields[AW_SCRIPT_KEY_COUNT + 5];
    cyaml_schema_field_t *device_fields; /* key_count, and the end */
};

static cyaml_schema_value_t text_value(bool required)
{
    unsigned optional = required ? 0 : CYAML_FLAG_OPTIONAL;

    return (cyaml_schema_value_t){CYAML_VALUE_STRING(
        CYAML_FLAG_POINTER | optional, char *, 0, CYAML_UNLIMITED)};
}

static cyaml_schema_field_t text_field(const char *key, size_t offset,
                                       bool required)
{
    return (cyaml_schema_field_t){
        .key = key,
        .data_offset = (uint32_t)offset,
        .value = text_value(required),
    };
}

/* True if the row of a device already has a column for `key`. */
static bool has_key(const struct aw_document *document, const char *key)
{
    for (size_t i = 0; i < document->key_count; i++) {
        if (strcmp(aw_document_key(document, i), key) == 0)
            return true;
    }
    return false;
}

static void add_key(struct aw_document *document, const char *key,
                    bool required)
{
    if (has_key(document, key))
        return;
    document->schema->device_fields[document->key_count] =
        text_field(key, document->key_count * sizeof(char *), required);
    document->key_count++;
}

/* The union of what the drivers take, loaded ones included: one column for each
 * key, whoever has it. Which of them a device may use, its driver says. */
static int add_device_keys(struct aw_document *document)
{
    size_t most = (size_t)AW_DEVICE_KEY_COUNT + AW_COMMON_COUNT + 1;
    size_t driver_count = 0;
    const struct aw_driver *driver;

    while ((driver = aw_driver_at(driver_count))) {
        most += driver->option_count;
        driver_count++;
    }
    document->schema->device_fields =
        calloc(most, sizeof(*document->schema->device_fields));
    if (!document->schema->device_fields)
        return -ENOMEM;
    add_key(document, "name", true);
    add_key(document, "driver", true);
    for (size_t i = 0; i < AW_COMMON_COUNT; i++)
        add_key(document, aw_common_options[i].name, false);
    /* As many as were counted: another thread may load one meanwhile. */
    for (size_t i = 0; i < driver_count; i++) {
        driver = aw_driver_at(i);
        for (size_t j = 0; j < driver->option_count; j++)
            add_key(document, driver->options[j].name, false);
    }
    return 0;
}

static void set_script_fields(struct aw_schema *schema)
{
    const cyaml_schema_field_t args = CYAML_FIELD_SEQUENCE_COUNT(
        "args", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
        struct aw_document_script, args, arg_count, &schema->argument, 0,
        AW_ARGUMENTS_MAX);

    const cyaml_schema_field_t paths = CYAML_FIELD_SEQUENCE_COUNT(
        "paths", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
        struct aw_document_script, paths, path_count, &schema->argument, 0,
        AW_ARGUMENTS_MAX);

    schema->argument = text_value(true);
    schema->script_fields[0] =
        text_field("name", offsetof(struct aw_document_script, name), false);
    schema->script_fields[1] =
        text_field("path", offsetof(struct aw_document_script, path), true);
    schema->script_fields[2] = args;
    schema->script_fields[3] = paths;
    for (size_t i = 0; i < AW_SCRIPT_KEY_COUNT; i++)
        schema->script_fields[4 + i] = text_field(
            aw_script_options[i].name,
            offsetof(struct aw_document_script, options) + i * sizeof(char *),
            false);
    schema->script = (cyaml_schema_value_t){CYAML_VALUE_MAPPING(
        CYAML_FLAG_DEFAULT, struct aw_document_script, schema->script_fields)};
}

static void set_device_fields(struct aw_document *document)
{
    struct aw_schema *schema = document->schema;

    schema->device = (cyaml_schema_value_t){
        .type = CYAML_MAPPING,
        .flags = CYAML_FLAG_DEFAULT,
        .data_size = (uint32_t)(document->key_count * sizeof(char *)),
        .mapping = {.fields = schema->device_fields},
    };
}

/* A mapping of single values, which lie as texts in a row at `offset`. */
static cyaml_schema_field_t row_field(const char *key, size_t offset,
                                      const struct aw_option *keys,
                                      size_t count,
                                      cyaml_schema_field_t *fields)
{
    for (size_t i = 0; i < count; i++)
        fields[i] = text_field(keys[i].name, i * sizeof(char *), false);
    return (cyaml_schema_field_t){
        .key = key,
        .data_offset = (uint32_t)offset,
        .value = {.type = CYAML_MAPPING,
                  .flags = CYAML_FLAG_OPTIONAL,
                  .data_size = (uint32_t)(count * sizeof(char *)),
                  .mapping = {.fields = fields}},
    };
}

static void set_root_fields(struct aw_schema *schema)
{
    const cyaml_schema_field_t devices = CYAML_FIELD_SEQUENCE_COUNT(
        "devices", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
        struct aw_document_data, devices, device_count, &schema->device, 0,
        AW_DEVICES_MAX);
    const cyaml_schema_field_t scripts = CYAML_FIELD_SEQUENCE_COUNT(
        "scripts", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
        struct aw_document_data, scripts, script_count, &schema->script, 0,
        AW_SCRIPTS_MAX);
    const cyaml_schema_field_t environment = CYAML_FIELD_SEQUENCE_COUNT(
        "environment", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
        struct aw_document_data, environment, environment_count,
        &schema->argument, 0, AW_ARGUMENTS_MAX);
    cyaml_schema_field_t *fields = schema->root_fields;

    for (size_t i = 0; i < AW_SETTING_COUNT; i++)
        *fields++ = text_field(aw_settings[i].name,
                               offsetof(struct aw_document_data, settings) +
                                   i * sizeof(char *),
                               false);
    *fields++ = row_field("control", offsetof(struct aw_document_data, control),
                          aw_control_keys, AW_CONTROL_KEY_COUNT,
                          schema->control_fields);
    *fields++ = row_field("metrics", offsetof(struct aw_document_data, metrics),
                          aw_metrics_keys, AW_METRICS_KEY_COUNT,
                          schema->metrics_fields);
    *fields++ = devices;
    fields[-1].value.data_size = schema->device.data_size;
    *fields++ = scripts;
    *fields++ = environment;
    schema->root = (cyaml_schema_value_t){CYAML_VALUE_MAPPING(
        CYAML_FLAG_POINTER, struct aw_document_data, schema->root_fields)};
}

static int make_schema(struct aw_document *document)
{
    document->schema = calloc(1, sizeof(*document->schema));
    if (!document->schema || add_device_keys(document) < 0)
        return -ENOMEM;
    set_script_fields(document->schema);
    set_device_fields(document);
    set_root_fields(document->schema);
    return 0;
}

/* ---- what libcyaml says ---- */

/* Collects libcyaml's log lines: the first tells the reason, those behind it
 * where the loader was, from the inside out. */
struct trace {
    char reason[256];
    char path[AW_INDEX_PATH_MAX];
};

/* Puts one more part before what is known of the path. */
static void add_part(struct trace *trace, const char *part)
{
    bool dot = trace->path[0] != '\0' && trace->path[0] != '[';
    size_t length = strlen(part);
    size_t known = strlen(trace->path) + 1;

    if (length + dot + known > sizeof(trace->path))
        return;
    memmove(trace->path + length + dot, trace->path, known);
    memcpy(trace->path, part, length);
    if (dot)
        trace->path[length] = '.';
}

__attribute__((format(printf, 3, 0))) static void
take_line(cyaml_log_t level, void *context, const char *format, va_list values)
{
    struct trace *trace = context;
    char line[256], key[AW_INDEX_KEY_MAX + 1];
    unsigned number;

    (void)level;
    vsnprintf(line, sizeof(line), format, values);
    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "  in mapping field '%64[^']'", key) == 1) {
        add_part(trace, key);
    } else if (sscanf(line, "  in sequence entry '%u'", &number) == 1) {
        snprintf(key, sizeof(key), "[%u]", number - 1);
        add_part(trace, key);
    } else if (trace->reason[0] == '\0') {
        snprintf(trace->reason, sizeof(trace->reason), "%s", line);
    }
}

static void cut_last_part(char *path)
{
    char *dot = strrchr(path, '.');
    char *bracket = strrchr(path, '[');
    char *last = dot > bracket ? dot : bracket;

    *(last ? last : path) = '\0';
}

/* What stands behind `prefix` in the reason, or NULL. */
static const char *behind(const struct trace *trace, const char *prefix)
{
    size_t length = strlen(prefix);

    if (strncmp(trace->reason, prefix, length) != 0)
        return NULL;
    return trace->reason + length;
}

static const char *shape_in_words(const char *expected)
{
    if (strncmp(expected, "MAPPING", strlen("MAPPING")) == 0)
        return "set of keys with their values";
    if (strncmp(expected, "SEQUENCE", strlen("SEQUENCE")) == 0)
        return "list";
    return "single value";
}

static enum aw_document_fault classify(const struct trace *trace,
                                       const char **ret_detail)
{
    static const struct {
        const char *prefix;
        enum aw_document_fault fault;
    } reasons[] = {
        {"Load: Unexpected key: ", AW_FAULT_UNKNOWN_KEY},
        {"Load: Missing required mapping field: ", AW_FAULT_MISSING_KEY},
        {"Load: Mapping field already seen: ", AW_FAULT_TWICE},
        {"Load: Expecting ", AW_FAULT_SHAPE},
        {"Load: Excessive entries (", AW_FAULT_TOO_MANY},
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        const char *detail = behind(trace, reasons[i].prefix);

        if (detail) {
            *ret_detail = detail;
            return reasons[i].fault;
        }
    }
    return AW_FAULT_OTHER;
}

static void describe(const struct trace *trace, cyaml_err_t code,
                     struct aw_document_problem *problem)
{
    const char *detail = cyaml_strerror(code);

    problem->fault = classify(trace, &detail);
    if (problem->fault == AW_FAULT_SHAPE)
        detail = shape_in_words(detail);
    snprintf(problem->detail, sizeof(problem->detail), "%.127s", detail);
    if (problem->fault == AW_FAULT_TOO_MANY)
        problem->detail[strspn(detail, "0123456789")] = '\0';
    snprintf(problem->path, sizeof(problem->path), "%s", trace->path);
    /* The place is that of the field before, or of the element too many. */
    if (problem->fault == AW_FAULT_MISSING_KEY ||
        problem->fault == AW_FAULT_TOO_MANY)
        cut_last_part(problem->path);
}

/* ---- the document ---- */

static cyaml_config_t cyaml_settings(struct trace *trace)
{
    return (cyaml_config_t){
        .log_fn = trace ? take_line : NULL,
        .log_ctx = trace,
        .mem_fn = cyaml_mem,
        .log_level = CYAML_LOG_ERROR,
        .flags = CYAML_CFG_DEFAULT,
    };
}

static int load(struct aw_document *document, const char *content,
                size_t length, struct aw_document_problem *problem)
{
    struct trace trace = {.reason = ""};
    cyaml_config_t settings = cyaml_settings(&trace);
    cyaml_data_t *data = NULL;
    cyaml_err_t code =
        cyaml_load_data((const uint8_t *)content, length, &settings,
                        &document->schema->root, &data, NULL);

    document->data = data;
    if (code == CYAML_OK)
        return 0;
    describe(&trace, code, problem);
    return code == CYAML_ERR_OOM ? -ENOMEM : -EINVAL;
}

int aw_document_new(const char *content, size_t length,
                    struct aw_document **ret_document,
                    struct aw_document_problem *problem)
{
    struct aw_document *document = calloc(1, sizeof(*document));
    int result = document ? make_schema(document) : -ENOMEM;

    if (result == 0)
        result = load(document, content, length, problem);
    if (result < 0)
        aw_document_free(document);
    else
        *ret_document = document;
    return result;
}

void aw_document_free(struct aw_document *document)
{
    cyaml_config_t settings = cyaml_settings(NULL);

    if (!document)
        return;
    if (document->data)
        cyaml_free(&settings, &document->schema->root, document->data, 0);
    if (document->schema)
        free(document->schema->device_fields);
    free(document->schema);
    free(document);
}

const char *aw_document_key(const struct aw_document *document, size_t column)
{
    return document->schema->device_fields[column].key;
}

char *const *aw_document_device(const struct aw_document *document,
                                size_t index)
{
    return document->data->devices + index * document->key_count;
}
