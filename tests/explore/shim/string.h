/* Stands before <string.h> where the leaf is built for the explorer: a copy has
 * a point in its middle, so that a slot that is written while it is read shows
 * itself torn. */
#ifndef AW_EXPLORE_STRING_H
#define AW_EXPLORE_STRING_H

#include_next <string.h>

void *explore_copy(void *to, const void *from, size_t bytes);

#undef memcpy
#define memcpy(to, from, bytes) explore_copy(to, from, bytes)

#endif
