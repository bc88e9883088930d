#include "daemon/configure.h"

#include <stdlib.h>

int aw_configure(const struct aw_arguments *arguments,
                 struct aw_config **ret_config, struct aw_error *error)
{
    const char *path = arguments->config_path;
    int result = path ? aw_config_load(path, ret_config, error)
                      : aw_config_new(ret_config);

    for (size_t i = 0; result == 0 && i < arguments->device_count; i++)
        result =
            aw_config_add_device(*ret_config, arguments->devices[i], error);
    for (size_t i = 0; result == 0 && i < arguments->script_count; i++)
        result = aw_config_add_script(*ret_config, arguments->scripts[i], NULL,
                                      error);
    if (result == 0 && arguments->script)
        result = aw_config_add_script(*ret_config, arguments->script[0],
                                      arguments->script + 1, error);
    return result;
}

const char *aw_configure_socket(const struct aw_arguments *arguments,
                                const char **ret_origin)
{
    *ret_origin = "command line";
    if (arguments->socket_path)
        return arguments->socket_path;
    *ret_origin = "$AWAITD_SOCKET";
    return getenv("AWAITD_SOCKET");
}
