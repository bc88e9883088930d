/* Where the tests find the real logs, which are not part of the project:
 * $AWAITD_DATA, or shared/data beside the project's root. */
#ifndef AW_TEST_DATA_H
#define AW_TEST_DATA_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The path of a file of the project, given from its root. */
static inline void project_path(const char *file, char *ret_path, size_t size)
{
    const char *end = strstr(__FILE__, "tests/support/data.h");

    snprintf(ret_path, size, "%.*s%s", (int)(end - __FILE__), __FILE__, file);
}

/* The path of a data file. False, and a loud line, when it is not there; the
 * test is then to skip(). */
static inline bool data_path(const char *file, char *ret_path, size_t size)
{
    const char *folder = getenv("AWAITD_DATA");
    char fallback[4096];
    int length;

    project_path("../shared/data", fallback, sizeof(fallback));
    length =
        snprintf(ret_path, size, "%s/%s", folder ? folder : fallback, file);
    if (length > 0 && (size_t)length < size && access(ret_path, R_OK) == 0)
        return true;
    fprintf(stderr, "SKIPPED: no %s (set AWAITD_DATA)\n", ret_path);
    return false;
}

#endif
