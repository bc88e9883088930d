#include "daemon/package_path.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* BUILD of BUILD/daemon/awaitd; false if the executable is not found. */
static bool find_build(char build[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", build, PATH_MAX - 1);

    if (length < 0)
        return false;
    build[length] = '\0';
    for (int level = 0; level < 2; level++) {
        char *slash = strrchr(build, '/');

        if (!slash)
            return false;
        *slash = '\0';
    }
    return true;
}

void aw_package_path(char ret_path[PATH_MAX])
{
    char build[PATH_MAX];
    char package[PATH_MAX + sizeof("/awaitd/__init__.py")];

    if (find_build(build)) {
        snprintf(package, sizeof(package), "%s/awaitd/__init__.py", build);
        if (access(package, R_OK) == 0) {
            snprintf(ret_path, PATH_MAX, "%s", build);
            return;
        }
    }
    snprintf(ret_path, PATH_MAX, "%s", AW_PACKAGE_PATH);
}
