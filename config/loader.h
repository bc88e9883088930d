/* What the parts of the loader share: a file on its way to a configuration, and
 * how it is refused. One thread; loader.c has the way itself. */
#ifndef AW_LOADER_H
#define AW_LOADER_H

#include "config/config.h"
#include "config/document.h"
#include "config/index.h"

/* One file on its way to a configuration: its bytes, where things stand in
 * them, what libcyaml made of them, and what came out. */
struct aw_loader {
    const char *file;
    char *content;
    size_t length;
    struct aw_index *index;
    struct aw_document *document;
    struct aw_config *config;
    struct aw_error *error;
};

/* Fills in the error, with the line where `path` stands. Returns -EINVAL. */
__attribute__((format(printf, 3, 4))) int
aw_loader_refuse(const struct aw_loader *loader, const char *path,
                 const char *format, ...);

/* The same for want of memory. Returns -ENOMEM. */
int aw_loader_refuse_memory(const struct aw_loader *loader);

/* Passes on why something failed, said about `path`. Returns -EINVAL, or
 * -ENOMEM where `result` is that. */
int aw_loader_pass_on(const struct aw_loader *loader, const char *path,
                      int result, const struct aw_error *reason);

/* A path of the file, made relative to the file's folder. The caller's; NULL:
 * no memory. */
char *aw_loader_resolve(const struct aw_loader *loader, const char *path);

/* loader_process.c: takes what is of the process as a whole: its folders and
 * variables, its control socket, its metrics. Returns 0 or what refusing does.
 */
int aw_loader_take_process(struct aw_loader *loader);

#endif
