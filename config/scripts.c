/* What a configuration says of scripts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/loader.h"

/* Where the path of a script stands, for messages that come later. */
static char *origin_of(const struct loader *loader, const char *path)
{
    char *origin;

    if (asprintf(&origin, "%s:%u: %s", aw_loader_file(loader, path),
                 aw_index_line(loader->index, path), path) < 0)
        return NULL;
    return origin;
}

/* The arguments of a script, NULL at the end: the texts stay the document's. */
static char **borrow_arguments(const struct aw_document_script *given)
{
    char **arguments = calloc(given->arg_count + 1, sizeof(*arguments));

    for (unsigned i = 0; arguments && i < given->arg_count; i++)
        arguments[i] = given->args[i];
    return arguments;
}

static void free_paths(char **paths)
{
    for (size_t i = 0; paths && paths[i]; i++)
        free(paths[i]);
    free(paths);
}

/* The folders that a script adds to sys.path; the caller's. */
static char **resolve_paths(const struct loader *loader,
                            const struct aw_document_script *given,
                            size_t index)
{
    char **paths = calloc(given->path_count + 1, sizeof(*paths));
    char path[40];

    snprintf(path, sizeof(path), "scripts[%zu].paths", index);
    for (unsigned i = 0; paths && i < given->path_count; i++) {
        paths[i] = aw_loader_resolve(loader, path, given->paths[i]);
        if (!paths[i]) {
            free_paths(paths);
            return NULL;
        }
    }
    return paths;
}

static void take_supervision(const struct aw_config *config,
                             const struct aw_value *values,
                             struct aw_config_supervision *ret)
{
    const struct aw_value *stall = &values[AW_SCRIPT_KEY_STALL];
    const struct aw_value *kill = &values[AW_SCRIPT_KEY_STALL_KILL];

    *ret = (struct aw_config_supervision){
        .restart =
            (enum aw_config_restart)values[AW_SCRIPT_KEY_RESTART].integer,
        .delay_s = values[AW_SCRIPT_KEY_RESTART_DELAY].number,
        .interval_s = values[AW_SCRIPT_KEY_RESTART_INTERVAL].number,
        .limit = (unsigned)values[AW_SCRIPT_KEY_RESTART_LIMIT].integer,
        .flush = values[AW_SCRIPT_KEY_ON_RESTART].integer == 1,
        .persist = values[AW_SCRIPT_KEY_STATE].integer == 1,
        .stall_ms = stall->set ? stall->number : config->stall_ms,
        .stall_kill_s = kill->set ? kill->number : config->stall_kill_s,
    };
}

static int parse_supervision(const struct loader *loader, size_t index,
                             struct aw_config_supervision *ret)
{
    char *const *texts = loader->document->data->scripts[index].options;
    struct aw_value values[AW_SCRIPT_KEY_COUNT] = {{.set = false}};
    int result = 0;

    for (size_t i = 0; result == 0 && i < AW_SCRIPT_KEY_COUNT; i++) {
        const struct aw_option *option = &aw_script_options[i];
        const char *text = texts[i] ? texts[i] : option->fallback;
        struct aw_error reason = {""};
        char path[80];

        if (!text)
            continue;
        snprintf(path, sizeof(path), "scripts[%zu].%s", index, option->name);
        result = aw_option_parse(option, text, &values[i], &reason);
        if (result < 0)
            result = aw_loader_pass_on(loader, path, result, &reason);
    }
    if (result == 0)
        take_supervision(loader->config, values, ret);
    for (size_t i = 0; i < AW_SCRIPT_KEY_COUNT; i++)
        aw_value_deinit(&values[i]);
    return result;
}

static int put_script(struct loader *loader,
                      const struct aw_document_script *given, size_t index)
{
    char path[40];
    struct aw_config_script script = {.name = given->name};
    struct aw_error reason = {""};
    int result = parse_supervision(loader, index, &script.supervision);

    if (result < 0)
        return result;
    snprintf(path, sizeof(path), "scripts[%zu].path", index);
    script.paths = resolve_paths(loader, given, index);
    script.path = aw_loader_resolve(loader, path, given->path);
    script.origin = origin_of(loader, path);
    script.arguments = borrow_arguments(given);
    if (!script.path || !script.origin || !script.arguments || !script.paths)
        result = -ENOMEM;
    else
        result = aw_config_put_script(loader->config, &script, &reason);
    free_paths(script.paths);
    free(script.path);
    free(script.origin);
    free(script.arguments);
    if (given->name)
        snprintf(path, sizeof(path), "scripts[%zu].name", index);
    return result < 0 ? aw_loader_pass_on(loader, path, result, &reason) : 0;
}

static int take_script(struct loader *loader, size_t index)
{
    const struct aw_document_script *given =
        &loader->document->data->scripts[index];
    char path[40];

    if (given->path[0] != '\0')
        return put_script(loader, given, index);
    snprintf(path, sizeof(path), "scripts[%zu].path", index);
    return aw_loader_refuse(loader, path, "there is no value");
}

int aw_loader_take_scripts(struct loader *loader)
{
    unsigned count = loader->document->data->script_count;
    int result = 0;

    for (unsigned i = 0; result == 0 && i < count; i++)
        result = take_script(loader, i);
    return result;
}
