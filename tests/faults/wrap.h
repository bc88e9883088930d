/* Makers of wrappers, which fail when inject.h says so. */
#ifndef WRAP_H
#define WRAP_H

#include <errno.h>

#include "tests/faults/inject.h"

#define UNPACK(...) __VA_ARGS__

/* A function that returns `failure`, with the errno set, and does nothing. */
#define CALL(type, name, failure, parameters, arguments, ...)                  \
    type __wrap_##name(UNPACK parameters);                                     \
    type __wrap_##name(UNPACK parameters)                                      \
    {                                                                          \
        int code = INJECT(#name, __VA_ARGS__);                                 \
                                                                               \
        if (code) {                                                            \
            errno = code;                                                      \
            return failure;                                                    \
        }                                                                      \
        return name(UNPACK arguments);                                         \
    }

/* One that makes a descriptor. */
#define FD_CALL(name, parameters, arguments, ...)                              \
    int __wrap_##name(UNPACK parameters);                                      \
    int __wrap_##name(UNPACK parameters)                                       \
    {                                                                          \
        int code = INJECT(#name, __VA_ARGS__);                                 \
        int made = code ? -1 : name(UNPACK arguments);                         \
                                                                               \
        if (code)                                                              \
            errno = code;                                                      \
        inject_own_fd(made);                                                   \
        return made;                                                           \
    }

/* One that has done its work when it says that it failed. */
#define DONE_CALL(type, name, failure, parameters, arguments, ...)             \
    type __wrap_##name(UNPACK parameters);                                     \
    type __wrap_##name(UNPACK parameters)                                      \
    {                                                                          \
        int code = INJECT(#name, __VA_ARGS__);                                 \
        type result = name(UNPACK arguments);                                  \
                                                                               \
        if (code)                                                              \
            errno = code;                                                      \
        return code ? (failure) : result;                                      \
    }

/* One that returns its error, as those of pthread do. */
#define CODE_CALL(name, parameters, arguments, ...)                            \
    int __wrap_##name(UNPACK parameters);                                      \
    int __wrap_##name(UNPACK parameters)                                       \
    {                                                                          \
        int code = INJECT(#name, __VA_ARGS__);                                 \
                                                                               \
        return code ? code : name(UNPACK arguments);                           \
    }

#endif
