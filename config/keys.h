/* The keys of a configuration file that are no device's: for what is said of
 * one that is not among them. */
#ifndef AW_KEYS_H
#define AW_KEYS_H

#include <stdbool.h>

/* `around` is the path where a key stands: "" for the file itself, "control",
 * "metrics" or "scripts[N]". */

/* Is it a script's? */
bool aw_keys_are_scripts(const char *around);

/* The key there that `key` may be a slip for, or NULL. */
const char *aw_keys_suggest(const char *around, const char *key);

/* All keys there, in words. */
const char *aw_keys_words(const char *around);

#endif
