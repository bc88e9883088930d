/* The loader's own, private to config/: what its files share. loader.c takes
 * the steps, one file each; what they all need is in refusals.c, below them. */
#ifndef AW_LOADER_H
#define AW_LOADER_H

#include "config/config.h"
#include "config/document.h"
#include "config/index.h"

/* A file and its drop-ins on their way to a configuration: their bytes as one
 * document, where things stand, what libcyaml made of them, and what came out.
 */
struct loader {
    const char *file; /* the main one */
    char *content;
    size_t length;
    struct aw_index *index; /* the configuration's, in the end */
    struct aw_document *document;
    struct aw_config *config;
    struct aw_error *error;
};

/* ---- refusals.c ---- */

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

/* The file where `path` stands, or what is around it. */
const char *aw_loader_file(const struct loader *loader, const char *path);

/* The file name `text`, which stands at `path`, made relative to the folder of
 * the file that it stands in: the caller's, or NULL without memory. */
char *aw_loader_resolve(const struct loader *loader, const char *path,
                        const char *text);

/* The same for what names a driver, which may be no file at all. */
char *aw_loader_resolve_driver(const struct loader *loader, const char *path,
                               const char *text);

/* ---- the steps ---- */

/* Reads the file and its drop-ins (sources.c). 0, or a negative errno with a
 * sentence. */
int aw_loader_read(struct loader *loader);

/* Loads the drivers that are given by their files (devices.c), before there is
 * a schema: it has the keys of every driver in it. 0, -EINVAL or -ENOMEM. */
int aw_loader_load_drivers(const struct loader *loader);

/* Says what the schema did not take (shape.c). Returns -EINVAL or -ENOMEM. */
int aw_loader_refuse_document(const struct loader *loader,
                              const struct aw_document_problem *problem);

/* Take what the document says into the configuration. 0, -EINVAL or -ENOMEM.
 * What holds for the whole process (process.c), its control socket and metrics
 * (control.c), its devices (devices.c) and its scripts (scripts.c). */
int aw_loader_take_process(struct loader *loader);
int aw_loader_take_control(const struct loader *loader);
int aw_loader_take_devices(struct loader *loader);
int aw_loader_take_scripts(struct loader *loader);

#endif
