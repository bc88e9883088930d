/* The loader's own: shared by loader.c, process.c and control.c, private to
 * config/. */
#ifndef AW_LOADER_H
#define AW_LOADER_H

#include "config/config.h"
#include "config/document.h"
#include "config/index.h"

/* One file on its way to a configuration: its bytes, where things stand in
 * them, what libcyaml made of them, and what came out. */
struct loader {
    const char *file;
    char *content;
    size_t length;
    struct aw_index *index;
    struct aw_document *document;
    struct aw_config *config;
    struct aw_error *error;
};

/* Fills in the error. Returns -ENOMEM. */
int aw_loader_refuse_memory(const struct loader *loader);

/* Fills in the error, with the line where `path` stands. Returns -EINVAL. */
__attribute__((format(printf, 3, 4))) int
aw_loader_refuse(const struct loader *loader, const char *path,
                 const char *format, ...);

/* Passes on why something failed, said about `path`. Returns -EINVAL, or
 * -ENOMEM where `result` is that. */
int aw_loader_pass_on(const struct loader *loader, const char *path, int result,
                      const struct aw_error *reason);

/* A path of the file, made relative to the file's folder: the caller's, or NULL
 * without memory. */
char *aw_loader_resolve(const struct loader *loader, const char *path);

/* What holds for the whole process (process.c). 0, -EINVAL or -ENOMEM. */
int aw_loader_take_process(struct loader *loader);

/* Its control socket and its metrics (control.c). 0, -EINVAL or -ENOMEM. */
int aw_loader_take_control(const struct loader *loader);

#endif
