/* What a request to the host carries with it: copies, so that main's own may go
 * as soon as it has asked. No Python in this file. */
#include <stdlib.h>
#include <string.h>

#include "pymod/host_state.h"

static void free_texts(char *const *texts)
{
    for (char *const *text = texts; text && *text; text++)
        free(*text);
    free((void *)(uintptr_t)texts);
}

/* NULL at the end, as they are; NULL without memory. */
static char **copy_texts(char *const *texts)
{
    size_t count = 0;
    char **copies;

    while (texts && texts[count])
        count++;
    copies = calloc(count + 1, sizeof(*copies));
    for (size_t i = 0; copies && i < count; i++) {
        copies[i] = strdup(texts[i]);
        if (!copies[i]) {
            free_texts(copies);
            return NULL;
        }
    }
    return copies;
}

void aw_host_script_free(struct aw_host_script *script)
{
    if (!script)
        return;
    free((void *)(uintptr_t)script->name);
    free((void *)(uintptr_t)script->path);
    free((void *)(uintptr_t)script->state_path);
    free_texts(script->arguments);
    free_texts(script->paths);
    free(script);
}

struct aw_host_script *aw_host_script_copy(const struct aw_host_script *script)
{
    struct aw_host_script *copy = malloc(sizeof(*copy));

    if (!copy)
        return NULL;
    *copy = *script;
    copy->name = strdup(script->name);
    copy->path = strdup(script->path);
    copy->state_path = script->state_path ? strdup(script->state_path) : NULL;
    copy->arguments = copy_texts(script->arguments);
    copy->paths = copy_texts(script->paths);
    if (copy->name && copy->path && copy->arguments && copy->paths &&
        (copy->state_path || !script->state_path))
        return copy;
    aw_host_script_free(copy);
    return NULL;
}

void aw_host_request_deinit(struct aw_host_request *request)
{
    aw_device_unref(request->device);
    aw_host_script_free(request->settings);
    request->device = NULL;
    request->settings = NULL;
}
