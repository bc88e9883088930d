/* A configuration written down, every value of it. */
#ifndef FUZZ_YAML_H
#define FUZZ_YAML_H

#include "config/config.h"

/* The caller's, for free(). */
char *fuzz_yaml(const struct aw_config *config);

#endif
