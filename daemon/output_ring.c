#include "daemon/output_ring.h"

#include <assert.h>
#include <string.h>

/* Copies `length` bytes to `at`, in two pieces around the end. */
static uint64_t copy_in(struct aw_output_ring *ring, uint64_t at,
                        const void *from, size_t length)
{
    size_t offset = at % AW_OUTPUT_RING_BYTES;
    size_t first = AW_OUTPUT_RING_BYTES - offset;

    if (first > length)
        first = length;
    memcpy(ring->bytes + offset, from, first);
    memcpy(ring->bytes, (const char *)from + first, length - first);
    return at + length;
}

static uint64_t copy_out(const struct aw_output_ring *ring, uint64_t at,
                         void *to, size_t length)
{
    size_t offset = at % AW_OUTPUT_RING_BYTES;
    size_t first = AW_OUTPUT_RING_BYTES - offset;

    if (first > length)
        first = length;
    memcpy(to, ring->bytes + offset, first);
    memcpy((char *)to + first, ring->bytes, length - first);
    return at + length;
}

bool aw_output_ring_put(struct aw_output_ring *ring,
                        const struct aw_output_head *head, const char *file,
                        const char *text)
{
    uint64_t put = atomic_load_explicit(&ring->put, memory_order_relaxed);
    /* Acquire: with the taker's release, so that its copy is over. */
    uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);
    size_t length = sizeof(*head) + head->file_length + head->text_length;

    assert(head->file_length <= AW_OUTPUT_FILE_MAX);
    assert(head->text_length <= AW_OUTPUT_TEXT_MAX);
    if (AW_OUTPUT_RING_BYTES - (put - taken) < length)
        return false;
    put = copy_in(ring, put, head, sizeof(*head));
    put = copy_in(ring, put, file, head->file_length);
    put = copy_in(ring, put, text, head->text_length);
    /* Release: with the taker's acquire, for the bytes. */
    atomic_store_explicit(&ring->put, put, memory_order_release);
    return true;
}

bool aw_output_ring_take(struct aw_output_ring *ring,
                         struct aw_output_line *ret_line)
{
    uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
    /* Acquire: with the release of the one who put. */
    uint64_t put = atomic_load_explicit(&ring->put, memory_order_acquire);

    if (put == taken)
        return false;
    taken = copy_out(ring, taken, &ret_line->head, sizeof(ret_line->head));
    taken = copy_out(ring, taken, ret_line->file, ret_line->head.file_length);
    taken = copy_out(ring, taken, ret_line->text, ret_line->head.text_length);
    ret_line->file[ret_line->head.file_length] = '\0';
    ret_line->text[ret_line->head.text_length] = '\0';
    /* Release: with the acquire of the one who puts: the room is free. */
    atomic_store_explicit(&ring->taken, taken, memory_order_release);
    return true;
}

bool aw_output_ring_empty(const struct aw_output_ring *ring)
{
    return atomic_load_explicit(&ring->put, memory_order_acquire) ==
           atomic_load_explicit(&ring->taken, memory_order_acquire);
}
