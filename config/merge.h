/* Several files as one: what drop-ins change of a configuration.
 *
 * It is done on indexes, before anything is known of what the keys mean, so
 * that whatever is said of a value later names the file and the line that it
 * came from. A later file has the last word on each single value. Lists are
 * replaced as a whole, but for three whose elements have names: `devices` and
 * `scripts` (a script without a name has that of its file), and `environment`
 * (NAME=VALUE). There an element of a name that an earlier file has changes
 * that one, and another one is appended. */
#ifndef AW_MERGE_H
#define AW_MERGE_H

#include "config/index.h"

/* Lays `over` over `base` and takes both, also on failure. Returns 0 or
 * -ENOMEM. */
int aw_index_merge(struct aw_index *base, struct aw_index *over,
                   struct aw_index **ret_merged);

/* The index as YAML again, for libcyaml: the caller's to free. Returns 0 or
 * -ENOMEM. */
int aw_index_emit(const struct aw_index *index, char **ret_content,
                  size_t *ret_length);

#endif
