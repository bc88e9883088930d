/* What a configuration says of the process: its folder, its variables, its
 * virtual environment. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/loader.h"

/* The folders of the process. */
static int take_folders(struct loader *loader)
{
    char *const *texts = loader->document->data->settings;
    struct aw_config *config = loader->config;

    if (texts[AW_SETTING_CWD])
        config->cwd = aw_loader_resolve(loader, "cwd", texts[AW_SETTING_CWD]);
    if (texts[AW_SETTING_VENV])
        config->venv =
            aw_loader_resolve(loader, "venv", texts[AW_SETTING_VENV]);
    if ((texts[AW_SETTING_CWD] && !config->cwd) ||
        (texts[AW_SETTING_VENV] && !config->venv))
        return aw_loader_refuse_memory(loader);
    if (config->cwd && access(config->cwd, X_OK) < 0)
        return aw_loader_refuse(loader, "cwd", "%s: %s", config->cwd,
                                strerror(errno));
    return 0;
}

/* There is a Python in it. */
static int check_venv(const struct loader *loader)
{
    const char *venv = loader->config->venv;
    char *python = NULL;
    int result = 0;

    if (!venv)
        return 0;
    if (asprintf(&python, "%s/bin/python3", venv) < 0)
        return aw_loader_refuse_memory(loader);
    if (access(python, X_OK) < 0)
        result = aw_loader_refuse(
            loader, "venv", "no virtual environment: there is no %s", python);
    free(python);
    return result;
}

static int take_environment(struct loader *loader)
{
    const struct aw_document_data *data = loader->document->data;
    char **copies = calloc(data->environment_count + 1, sizeof(*copies));

    loader->config->environment = copies;
    for (unsigned i = 0; copies && i < data->environment_count; i++) {
        const char *text = data->environment[i];
        char path[40];

        snprintf(path, sizeof(path), "environment[%u]", i);
        if (text[0] == '=' || !strchr(text, '='))
            return aw_loader_refuse(loader, path, "should be NAME=VALUE");
        copies[i] = strdup(text);
        if (!copies[i])
            return aw_loader_refuse_memory(loader);
    }
    return copies ? 0 : aw_loader_refuse_memory(loader);
}

int aw_loader_take_process(struct loader *loader)
{
    int result = take_folders(loader);

    if (result == 0)
        result = check_venv(loader);
    return result == 0 ? take_environment(loader) : result;
}
