/* The C library's streams and folders. What is printed to one fails when it is
 * flushed or closed, and at last by ferror(): a stream keeps the error. */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>

#include "tests/faults/wrap.h"

CALL(FILE *, fopen, NULL, (const char *path, const char *mode), (path, mode),
     EMFILE, EIO)
CALL(FILE *, open_memstream, NULL, (char **text, size_t *size), (text, size),
     ENOMEM)
CALL(FILE *, fmemopen, NULL, (void *buffer, size_t size, const char *mode),
     (buffer, size, mode), ENOMEM)
CALL(int, ferror, 1, (FILE * stream), (stream), EIO)
CALL(int, fflush, EOF, (FILE * stream), (stream), ENOSPC)
/* It is closed all the same. */
DONE_CALL(int, fclose, EOF, (FILE * stream), (stream), ENOSPC)
CALL(int, scandir, -1,
     (const char *folder, struct dirent ***entries,
      int (*is_wanted)(const struct dirent *),
      int (*compare)(const struct dirent **, const struct dirent **)),
     (folder, entries, is_wanted, compare), ENOMEM)

CALL(DIR *, opendir, NULL, (const char *folder), (folder), EMFILE)
CALL(struct dirent *, readdir, NULL, (DIR * folder), (folder), EIO)

/* ---- those that leave the error in the stream ---- */

#define ERROR_SEEN 0x20 /* of glibc's streams, what ferror() looks at */

static bool fails(const char *function, int error, FILE *stream)
{
    int code = INJECT(function, error);

    if (code) {
        stream->_flags |= ERROR_SEEN;
        errno = code;
    }
    return code != 0;
}

char *__wrap_fgets(char *line, int size, FILE *from);
size_t __wrap_fread(void *data, size_t size, size_t count, FILE *from);
size_t __wrap_fwrite(const void *data, size_t size, size_t count, FILE *to);

char *__wrap_fgets(char *line, int size, FILE *from)
{
    return fails("fgets", EIO, from) ? NULL : fgets(line, size, from);
}

size_t __wrap_fread(void *data, size_t size, size_t count, FILE *from)
{
    return fails("fread", EIO, from) ? 0 : fread(data, size, count, from);
}

size_t __wrap_fwrite(const void *data, size_t size, size_t count, FILE *to)
{
    return fails("fwrite", ENOSPC, to) ? 0 : fwrite(data, size, count, to);
}

/* ---- those of a variable number of arguments ---- */

__attribute__((format(printf, 2, 3))) int
__wrap_dprintf(int fd, const char *format, ...);

int __wrap_dprintf(int fd, const char *format, ...)
{
    int code = INJECT("dprintf", EINTR);
    int length = -1;
    va_list values;

    va_start(values, format);
    if (code) {
        errno = code;
    } else {
        length = vdprintf(fd, format, values);
    }
    va_end(values);
    return length;
}
