/* From a file to a configuration: the steps, in their order, and what the file
 * says of stopping and starting. The other steps are files of their own. */
#include <errno.h>
#include <stdlib.h>

#include "config/loader.h"

/* A key with nothing behind it is a line that somebody did not finish. */
static int refuse_empty(const struct loader *loader)
{
    for (size_t i = 0; i < loader->index->count; i++) {
        const struct aw_index_entry *entry = &loader->index->entries[i];

        if (entry->empty)
            return aw_loader_refuse(loader, entry->path, "there is no value");
    }
    return 0;
}

static int load_document(struct loader *loader)
{
    struct aw_document_problem problem;
    int result = aw_loader_load_drivers(loader);

    if (result < 0)
        return result;
    result = aw_document_new(loader->content, loader->length, &loader->document,
                             &problem);
    if (result == -ENOMEM)
        return aw_loader_refuse_memory(loader);
    if (result < 0)
        return aw_loader_refuse_document(loader, &problem);
    return refuse_empty(loader);
}

/* ---- meaning ---- */

static int take_settings(struct loader *loader)
{
    char *const *texts = loader->document->data->settings;
    struct aw_config *config = loader->config;
    double *const targets[AW_SETTING_COUNT] = {
        [AW_SETTING_STOP_GRACE] = &config->stop_grace_s,
        [AW_SETTING_STOP_TIMEOUT] = &config->stop_timeout_s,
        [AW_SETTING_START_TIMEOUT] = &config->start_timeout_s,
        [AW_SETTING_RELOAD_SETTLE] = &config->reload_settle_s,
        [AW_SETTING_STALL] = &config->stall_ms,
        [AW_SETTING_STALL_KILL] = &config->stall_kill_s,
    };

    for (size_t i = 0; i < AW_SETTING_COUNT; i++) {
        struct aw_value value = {.set = false};
        struct aw_error reason = {""};
        int result;

        if (!texts[i] || !targets[i])
            continue;
        result = aw_option_parse(&aw_settings[i], texts[i], &value, &reason);
        if (result < 0)
            return aw_loader_pass_on(loader, aw_settings[i].name, result,
                                     &reason);
        *targets[i] = value.number;
        aw_value_deinit(&value);
    }
    return 0;
}

/* Where only one of the two is given, the other one makes room. */
static int settle_stop(struct loader *loader)
{
    char *const *texts = loader->document->data->settings;
    struct aw_config *config = loader->config;

    if (config->stop_grace_s <= config->stop_timeout_s)
        return 0;
    if (!texts[AW_SETTING_STOP_GRACE])
        config->stop_grace_s = config->stop_timeout_s;
    else if (!texts[AW_SETTING_STOP_TIMEOUT])
        config->stop_timeout_s = config->stop_grace_s;
    else
        return aw_loader_refuse(loader, "stop_timeout_s",
                                "must not be less than stop_grace_s");
    return 0;
}

static int take_all(struct loader *loader)
{
    int result;

    if (!loader->document->data)
        return 0;
    result = take_settings(loader);
    if (result == 0)
        result = settle_stop(loader);
    if (result == 0)
        result = aw_loader_take_process(loader);
    if (result == 0)
        result = aw_loader_take_control(loader);
    if (result == 0)
        result = aw_loader_take_devices(loader);
    if (result == 0)
        result = aw_loader_take_scripts(loader);
    return result;
}

int aw_config_load(const char *path, struct aw_config **ret_config,
                   struct aw_error *error)
{
    struct loader loader = {.file = path, .error = error};
    int result = aw_config_new(&loader.config);

    if (result < 0)
        return aw_loader_refuse_memory(&loader);
    result = aw_loader_read(&loader);
    if (result == 0)
        result = load_document(&loader);
    if (result == 0)
        result = take_all(&loader);
    /* For as long as somebody may ask where a value came from. */
    loader.config->index = loader.index;
    if (result < 0)
        aw_config_free(loader.config);
    else
        *ret_config = loader.config;
    aw_document_free(loader.document);
    free(loader.content);
    return result;
}
