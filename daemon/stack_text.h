/* What faulthandler writes of a Python stack, in its own words:
 * `  File "PATH", line 5 in NAME`, the innermost first. Any thread. */
#ifndef AW_STACK_TEXT_H
#define AW_STACK_TEXT_H

#include <stddef.h>

/* The innermost line of the script at `path`, or else the innermost of all,
 * within `stack`; NULL if there is none. */
const char *aw_stack_text_find(const char *stack, const char *path);

/* That line as `FILE:LINE: `, or "" if there is none or no room for it. */
void aw_stack_text_place(const char *stack, const char *path, char *ret_place,
                         size_t size);

#endif
