/* What a file says of the process as a whole. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/loader.h"
#include "devices/address.h"

/* Copies a text of the file; one that is not given stays NULL. */
static int take_text(const struct aw_loader *loader, const char *text,
                     char **target)
{
    if (!text)
        return 0;
    *target = strdup(text);
    return *target ? 0 : aw_loader_refuse_memory(loader);
}

/* `none` is no path. */
static int take_socket(const struct aw_loader *loader, const char *text)
{
    struct aw_config *config = loader->config;

    if (!text || strcmp(text, "none") == 0)
        return take_text(loader, text, &config->control_socket);
    config->control_socket = aw_loader_resolve(loader, text);
    return config->control_socket ? 0 : aw_loader_refuse_memory(loader);
}

static int take_metrics(const struct aw_loader *loader, const char *listen)
{
    struct aw_endpoint endpoint;
    struct aw_error reason = {""};

    if (listen && aw_endpoint_parse(listen, &endpoint, &reason) < 0)
        return aw_loader_pass_on(loader, "metrics.listen", -EINVAL, &reason);
    return take_text(loader, listen, &loader->config->metrics_listen);
}

static int take_control(const struct aw_loader *loader)
{
    const struct aw_document_data *data = loader->document->data;
    struct aw_config *config = loader->config;
    int result = take_socket(loader, data->control[AW_CONTROL_SOCKET]);

    if (result == 0)
        result = take_text(loader, data->control[AW_CONTROL_READ_GROUP],
                           &config->control_read_group);
    if (result == 0)
        result = take_text(loader, data->control[AW_CONTROL_ADMIN_GROUP],
                           &config->control_admin_group);
    if (result == 0)
        result = take_metrics(loader, data->metrics[AW_METRICS_LISTEN]);
    return result;
}

/* The folders of the process. */
static int take_folders(struct aw_loader *loader)
{
    char *const *texts = loader->document->data->settings;
    struct aw_config *config = loader->config;

    if (texts[AW_SETTING_CWD])
        config->cwd = aw_loader_resolve(loader, texts[AW_SETTING_CWD]);
    if (texts[AW_SETTING_VENV])
        config->venv = aw_loader_resolve(loader, texts[AW_SETTING_VENV]);
    if ((texts[AW_SETTING_CWD] && !config->cwd) ||
        (texts[AW_SETTING_VENV] && !config->venv))
        return aw_loader_refuse_memory(loader);
    if (config->cwd && access(config->cwd, X_OK) < 0)
        return aw_loader_refuse(loader, "cwd", "%s: %s", config->cwd,
                                strerror(errno));
    return 0;
}

/* There is a Python in it. */
static int check_venv(const struct aw_loader *loader)
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

static int take_environment(struct aw_loader *loader)
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

int aw_loader_take_process(struct aw_loader *loader)
{
    int result = take_control(loader);

    if (result == 0)
        result = take_folders(loader);
    if (result == 0)
        result = check_venv(loader);
    if (result == 0)
        result = take_environment(loader);
    return result;
}
