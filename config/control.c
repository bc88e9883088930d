/* What a configuration says of the control socket and of metrics. */
#include <errno.h>
#include <string.h>

#include "config/loader.h"
#include "devices/address.h"

/* Copies a text of the file; one that is not given stays NULL. */
static int take_text(const struct loader *loader, const char *text,
                     char **target)
{
    if (!text)
        return 0;
    *target = strdup(text);
    return *target ? 0 : aw_loader_refuse_memory(loader);
}

/* `none` is no path. */
static int take_socket(const struct loader *loader, const char *text)
{
    struct aw_config *config = loader->config;

    if (!text || strcmp(text, "none") == 0)
        return take_text(loader, text, &config->control_socket);
    config->control_socket = aw_loader_resolve(loader, "control.socket", text);
    return config->control_socket ? 0 : aw_loader_refuse_memory(loader);
}

static int take_metrics(const struct loader *loader, const char *listen)
{
    struct aw_endpoint endpoint;
    struct aw_error reason = {""};

    if (listen && aw_endpoint_parse(listen, &endpoint, &reason) < 0)
        return aw_loader_pass_on(loader, "metrics.listen", -EINVAL, &reason);
    return take_text(loader, listen, &loader->config->metrics_listen);
}

int aw_loader_take_control(const struct loader *loader)
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
