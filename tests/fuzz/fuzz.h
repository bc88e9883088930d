/* What the fuzzers share. Each fuzz_NAME.c is a program of libFuzzer's, with a
 * corpus in corpus/NAME: see check. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libFuzzer's two entries. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold, whatever the input: ends the program, as a crash. */
#define FUZZ_REQUIRE(condition)                                                \
    do {                                                                       \
        if (!(condition))                                                      \
            fuzz_fail(__FILE__, __LINE__, #condition);                         \
    } while (0)

_Noreturn void fuzz_fail(const char *file, int line, const char *condition);

/* To be called first. awaitd's own lines go to descriptor 2, which libFuzzer
 * closes (-close_fd_mask=2); `tapped`: they are also looked at. */
void fuzz_begin(bool tapped);

/* A path by which `size` bytes of `data` can be read as a regular file. Good
 * until the next call. */
const char *fuzz_file(const void *data, size_t size);

/* The input, taken apart from its beginning; at its end come zeros. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

uint64_t fuzz_take(struct fuzz_input *input, unsigned bytes);

/* Takes up to `size` bytes; returns how many there were. */
size_t fuzz_take_bytes(struct fuzz_input *input, void *target, size_t size);

/* Is it one line of text, not empty, as all errors for a user are? */
bool fuzz_is_sentence(const char *text);

#endif
