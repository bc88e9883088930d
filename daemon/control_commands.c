/* What can be asked: one table, and how requests and answers look. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/control_internal.h"
#include "daemon/json_text.h"

#define KEYS_MAX 4

struct command {
    const char *name;
    enum aw_control_right right;
    void (*handle)(struct aw_control_request *request); /* on main */
    const char *keys[KEYS_MAX]; /* beside `command` and `id` */
};

static void describe_commands(struct aw_control_request *request) AW_ON(main);

static const struct command commands[] = {
    {"status", AW_CONTROL_READ, aw_control_status, {NULL}},
    {"devices", AW_CONTROL_READ, aw_control_devices, {NULL}},
    {"queues", AW_CONTROL_READ, aw_control_queues, {NULL}},
    {"scripts", AW_CONTROL_READ, aw_control_scripts, {NULL}},
    {"reload", AW_CONTROL_ADMIN, aw_control_reload, {"script"}},
    {"restart", AW_CONTROL_ADMIN, aw_control_restart, {"script"}},
    {"stop", AW_CONTROL_ADMIN, aw_control_stop, {"script"}},
    {"metrics", AW_CONTROL_READ, aw_control_metrics, {"openmetrics"}},
    {"log", AW_CONTROL_READ, aw_control_log, {"lines", "follow"}},
    {"dump", AW_CONTROL_READ, aw_control_dump, {"device", "filters"}},
    {"send", AW_CONTROL_ADMIN, aw_control_send, {"device", "frame", "to"}},
    {"commands", AW_CONTROL_READ, describe_commands, {NULL}},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

/* ---- answers ---- */

static json_t *with_id(json_t *object, json_t *id)
{
    if (object && id && json_object_set(object, "id", id) < 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

void aw_control_answer(struct aw_control_client *client, json_t *id,
                       json_t *result)
{
    json_t *object = json_pack("{s:b, s:o}", "ok", 1, "result", result);

    aw_control_client_put(client, with_id(object, id));
}

void aw_control_refuse(struct aw_control_client *client, json_t *id,
                       const char *code, const char *format, ...)
{
    char text[600];
    va_list arguments;
    json_t *object;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    object = json_pack("{s:b, s:{s:s, s:o}}", "ok", 0, "error", "code", code,
                       "text", aw_json_text(text));
    aw_control_client_put(client, with_id(object, id));
}

bool aw_control_may_follow(struct aw_control_request *request)
{
    if (!request->client->stream)
        return true;
    aw_control_refuse(request->client, request->id, "busy",
                      "this connection already follows something; open "
                      "another one");
    return false;
}

void aw_control_stream_begin(struct aw_control_request *request,
                             const struct aw_control_stream *stream, void *data)
{
    struct aw_control_client *client = request->client;

    client->stream = stream;
    client->stream_data = data;
    client->stream_id = json_incref(request->id);
    aw_control_answer(client, request->id, json_pack("{s:b}", "follows", 1));
}

void aw_control_stream_end(struct aw_control_client *client)
{
    client->stream->end(client);
    client->stream = NULL;
    json_decref(client->stream_id);
    client->stream_id = NULL;
}

void aw_control_event(struct aw_control_client *client, const char *name,
                      json_t *fields)
{
    if (fields && json_object_set_new(fields, "event", json_string(name)) < 0) {
        json_decref(fields);
        fields = NULL;
    }
    aw_control_client_put(client, with_id(fields, client->stream_id));
}

/* ---- requests ---- */

const char *aw_control_text(struct aw_control_request *request, const char *key)
{
    json_t *value = json_object_get(request->object, key);

    if (json_is_string(value) &&
        strlen(json_string_value(value)) == json_string_length(value))
        return json_string_value(value);
    aw_control_refuse(request->client, request->id, "bad-request",
                      value ? "\"%s\" is no text" : "\"%s\" is missing", key);
    return NULL;
}

/* Says which there are, as far as a line goes. */
static void refuse_device(const struct aw_control_request *request,
                          const char *name)
{
    const struct aw_device_table *table = request->control->config.devices;
    char names[160] = "";
    size_t length = 0;

    for (size_t i = 0; i < table->count && length < sizeof(names); i++)
        length += (size_t)snprintf(names + length, sizeof(names) - length,
                                   "%s%s", i > 0 ? ", " : ": there are ",
                                   aw_device_name(table->devices[i]));
    aw_control_refuse(request->client, request->id, "no-such-device",
                      "there is no device \"%.80s\"%s", name, names);
}

struct aw_device *aw_control_device(struct aw_control_request *request)
{
    const struct aw_device_table *table = request->control->config.devices;
    const char *name = aw_control_text(request, "device");
    int found;

    if (!name)
        return NULL;
    found = aw_device_table_find(table, name);
    if (found >= 0)
        return table->devices[found];
    refuse_device(request, name);
    return NULL;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; name && i < COMMAND_COUNT; i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

static bool takes_key(const struct command *command, const char *key)
{
    if (!strcmp(key, "command") || !strcmp(key, "id"))
        return true;
    for (size_t i = 0; i < KEYS_MAX && command->keys[i]; i++)
        if (!strcmp(command->keys[i], key))
            return true;
    return false;
}

/* A key that is not known may be a misspelt one: it is not passed over. */
static bool check_keys(const struct command *command,
                       struct aw_control_request *request)
{
    const char *key;
    json_t *value;

    json_object_foreach(request->object, key, value)
    {
        if (takes_key(command, key))
            continue;
        aw_control_refuse(request->client, request->id, "bad-request",
                          "%s takes no \"%.80s\"", command->name, key);
        return false;
    }
    return true;
}

static void serve(struct aw_control_request *request) AW_ON(main)
{
    const char *name = aw_control_text(request, "command");
    const struct command *command = find_command(name);

    if (!name)
        return;
    if (!command)
        aw_control_refuse(request->client, request->id, "unknown-command",
                          "there is no command \"%.80s\"", name);
    else if (request->client->right < command->right)
        aw_control_refuse(request->client, request->id, "permission",
                          "you may look, but not %s: that takes a place in "
                          "admin_group",
                          name);
    else if (check_keys(command, request))
        command->handle(request);
}

static void describe_commands(struct aw_control_request *request)
{
    enum aw_control_right right = request->client->right;
    json_t *names = json_array();

    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (commands[i].right <= right)
            json_array_append_new(names, json_string(commands[i].name));
    aw_control_answer(request->client, request->id,
                      json_pack("{s:i, s:s, s:o}", "protocol",
                                AW_CONTROL_PROTOCOL, "version", AW_VERSION,
                                "commands", names));
}

void aw_control_handle(struct aw_control_client *client, const char *text,
                       size_t length)
{
    struct aw_control_request request = {.control = client->control,
                                         .client = client};
    json_error_t error;
    json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);

    if (!json_is_object(object)) {
        aw_control_refuse(client, NULL, "bad-request",
                          "a request is a JSON object in one line%s%s",
                          object ? "" : ": ", object ? "" : error.text);
    } else {
        request.object = object;
        request.id = json_object_get(object, "id");
        serve(&request);
    }
    json_decref(object);
}
