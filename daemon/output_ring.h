/* What scripts print, on its way to the thread that writes it: a ring of bytes.
 *
 * One thread puts at a time (the scripts', each while it holds the GIL) and one
 * takes (the writer's): neither waits for the other, and no lock is needed, so
 * that a child made by fork() finds none that is held. A line that finds no
 * room is dropped whole, so the order stays. */
#ifndef AW_OUTPUT_RING_H
#define AW_OUTPUT_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AW_OUTPUT_RING_BYTES (1u << 20)
#define AW_OUTPUT_TEXT_MAX   8192u
#define AW_OUTPUT_FILE_MAX   512u

struct aw_output_script;

/* A line as it lies in the ring, in front of its file and its text. */
struct aw_output_head {
    struct aw_output_script *script; /* whose it is */
    uint16_t file_length;
    uint16_t text_length;
    uint64_t cut; /* bytes of the text that are not here, at its end */
    uint32_t line;
    uint8_t stream;   /* 1 or 2, as the descriptor */
    uint8_t priority; /* as syslog's */
};

struct aw_output_line {
    struct aw_output_head head;
    char file[AW_OUTPUT_FILE_MAX + 1];
    char text[AW_OUTPUT_TEXT_MAX + 1];
};

struct aw_output_ring {
    /* Bytes put and taken, ever. Each is stored with release by its own side
     * and loaded with acquire by the other one. */
    _Atomic(uint64_t) put, taken;
    unsigned char bytes[AW_OUTPUT_RING_BYTES];
};

/* Copies a line: `head` with the lengths filled in, which must not exceed the
 * two maxima. False if there is no room. Never blocks. */
bool aw_output_ring_put(struct aw_output_ring *ring,
                        const struct aw_output_head *head, const char *file,
                        const char *text);

/* Takes the oldest line, with a 0 behind file and text. False if there is none.
 */
bool aw_output_ring_take(struct aw_output_ring *ring,
                         struct aw_output_line *ret_line);

bool aw_output_ring_empty(const struct aw_output_ring *ring);

#endif
