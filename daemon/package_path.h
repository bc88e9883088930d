/* Where the Python package awaitd/ lies: beside the build that this executable
 * belongs to, or where it was installed. */
#ifndef AW_PACKAGE_PATH_H
#define AW_PACKAGE_PATH_H

#include <limits.h>

/* Writes the folder that holds awaitd/. Never fails: without a build tree it is
 * the installed location. */
void aw_package_path(char ret_path[PATH_MAX]);

#endif
