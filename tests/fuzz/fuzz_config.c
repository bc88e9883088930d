/* A configuration file: one that is taken can be written down with all that was
 * made of it, and gives the same once more; one that is refused is so in one
 * line, which names the file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "devices/driver_load.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/yaml.h"

#define INPUT_MAX 65536u

int __wrap_aw_driver_load(const char *path, const struct aw_driver **ret_driver,
                          struct aw_error *error);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_begin(true);
    return 0;
}

/* No shared object is loaded that somebody's file names. */
int __wrap_aw_driver_load(const char *path, const struct aw_driver **ret_driver,
                          struct aw_error *error)
{
    (void)ret_driver;
    return aw_error_set(error, ENOENT, "%.80s: not in here", path);
}

static int load(const void *text, size_t size, struct aw_config **ret_config)
{
    const char *path = fuzz_file(text, size);
    struct aw_error error = {""};
    int result = aw_config_load(path, ret_config, &error);

    if (result == 0)
        return 0;
    FUZZ_REQUIRE(result == -EINVAL);
    FUZZ_REQUIRE(fuzz_is_sentence(error.text));
    FUZZ_REQUIRE(strncmp(error.text, path, strlen(path)) == 0);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct aw_config *config, *again;
    char *written, *rewritten;

    if (size > INPUT_MAX || load(data, size, &config) < 0)
        return 0;
    written = fuzz_yaml(config);
    aw_config_free(config);
    FUZZ_REQUIRE(load(written, strlen(written), &again) == 0);
    rewritten = fuzz_yaml(again);
    FUZZ_REQUIRE(strcmp(written, rewritten) == 0);
    aw_config_free(again);
    free(rewritten);
    free(written);
    return 0;
}
