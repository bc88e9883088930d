/* The document: a configuration file as libcyaml loads it.
 *
 * One schema is put together at run time, from the keys below and the options
 * that the drivers state. It settles the shape of the file (which keys there
 * are, what is a list, what is required) and leaves every value as text: what a
 * value means is for aw_option_parse(), here as on the command line. */
#ifndef AW_DOCUMENT_H
#define AW_DOCUMENT_H

#include <stddef.h>

#include "config/index.h"
#include "devices/options.h"
#include "devices/queue/error.h"

#define AW_DEVICES_MAX   64
#define AW_SCRIPTS_MAX   64
#define AW_ARGUMENTS_MAX 256

/* Keys of the file itself that hold one value. */
enum aw_setting {
    AW_SETTING_STOP_GRACE,
    AW_SETTING_STOP_TIMEOUT,
    AW_SETTING_START_TIMEOUT,
    AW_SETTING_RELOAD_SETTLE,
    AW_SETTING_CWD,
    AW_SETTING_VENV,
    AW_SETTING_STALL,
    AW_SETTING_STALL_KILL,
    AW_SETTING_COUNT,
};

extern const struct aw_option aw_settings[AW_SETTING_COUNT];

/* Keys of a script that hold one value, and have a fallback; that of the last
 * two is the file's key of the same name. */
enum aw_script_key {
    AW_SCRIPT_KEY_RESTART,
    AW_SCRIPT_KEY_RESTART_DELAY,
    AW_SCRIPT_KEY_RESTART_LIMIT,
    AW_SCRIPT_KEY_RESTART_INTERVAL,
    AW_SCRIPT_KEY_ON_RESTART,
    AW_SCRIPT_KEY_STATE,
    AW_SCRIPT_KEY_STALL,
    AW_SCRIPT_KEY_STALL_KILL,
    AW_SCRIPT_KEY_COUNT,
};

extern const struct aw_option aw_script_options[AW_SCRIPT_KEY_COUNT];

/* Keys of a device that are no option of its driver; the first in its row. */
enum aw_device_key {
    AW_DEVICE_KEY_NAME,
    AW_DEVICE_KEY_DRIVER,
    AW_DEVICE_KEY_COUNT,
};

/* Keys of `control:` and `metrics:`, each with one value. */
enum aw_control_key {
    AW_CONTROL_SOCKET,
    AW_CONTROL_READ_GROUP,
    AW_CONTROL_ADMIN_GROUP,
    AW_CONTROL_KEY_COUNT,
};

enum aw_metrics_key {
    AW_METRICS_LISTEN,
    AW_METRICS_KEY_COUNT,
};

extern const struct aw_option aw_control_keys[AW_CONTROL_KEY_COUNT];
extern const struct aw_option aw_metrics_keys[AW_METRICS_KEY_COUNT];

struct aw_document_script {
    char *name; /* NULL if not given, as every text here */
    char *path;
    char **args;
    unsigned arg_count;
    char **paths;
    unsigned path_count;
    char *options[AW_SCRIPT_KEY_COUNT];
};

/* What libcyaml fills. */
struct aw_document_data {
    char *settings[AW_SETTING_COUNT];
    char *control[AW_CONTROL_KEY_COUNT];
    char *metrics[AW_METRICS_KEY_COUNT];
    char **environment; /* NAME=VALUE */
    unsigned environment_count;
    char **devices; /* device_count rows of aw_document.key_count texts */
    unsigned device_count;
    struct aw_document_script *scripts;
    unsigned script_count;
};

struct aw_schema;

struct aw_document {
    struct aw_schema *schema;
    size_t key_count;              /* texts in the row of a device */
    struct aw_document_data *data; /* NULL if the file has only `{}` */
};

/* How a document can be wrong. */
enum aw_document_fault {
    AW_FAULT_UNKNOWN_KEY, /* `detail`: the key; `path`: where it stands */
    AW_FAULT_MISSING_KEY, /* `detail`: the key; `path`: where it is missing */
    AW_FAULT_TWICE,       /* the key `path` is given twice */
    AW_FAULT_SHAPE,       /* `path` should be a `detail`, in words */
    AW_FAULT_TOO_MANY,    /* the list `path` has more than `detail` entries */
    AW_FAULT_OTHER,       /* `detail`: what libcyaml says */
};

struct aw_document_problem {
    enum aw_document_fault fault;
    char path[AW_INDEX_PATH_MAX];
    char detail[128];
};

/* Loads `content`, which must be YAML (aw_index_new() says so). Returns 0,
 * -EINVAL and fills `problem`, or -ENOMEM. Prints nothing. */
int aw_document_new(const char *content, size_t length,
                    struct aw_document **ret_document,
                    struct aw_document_problem *problem);

/* Accepts NULL. */
void aw_document_free(struct aw_document *document);

/* The key of a device at `column` of its row. */
const char *aw_document_key(const struct aw_document *document, size_t column);

/* The row of the device `index`: one text for each key, NULL if not given. */
char *const *aw_document_device(const struct aw_document *document,
                                size_t index);

#endif
