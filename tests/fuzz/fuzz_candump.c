/* A line of a log: what is read can be written, and read again as the same. */
#include <errno.h>
#include <string.h>

#include "devices/candump.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_begin(false);
    return 0;
}

static bool same(const struct aw_candump *one, const struct aw_candump *other)
{
    const struct aw_frame *a = (const void *)one->slot;
    const struct aw_frame *b = (const void *)other->slot;

    return strcmp(one->channel, other->channel) == 0 &&
           one->direction == other->direction &&
           aw_frame_bytes(a) == aw_frame_bytes(b) &&
           memcmp(a, b, aw_frame_bytes(a)) == 0;
}

static void check_frame(struct aw_candump *record)
{
    const struct aw_frame *frame = aw_candump_frame(record);
    unsigned options =
        AW_CANDUMP_NANOSECONDS | (record->direction ? AW_CANDUMP_DIRECTION : 0);
    static struct aw_candump again;
    char line[AW_CANDUMP_LINE_MAX];
    struct aw_error error;
    int length;

    FUZZ_REQUIRE(aw_frame_plausible(frame, AW_CANDUMP_PAYLOAD_MAX));
    FUZZ_REQUIRE(frame->seq == 0 && frame->monotonic_ns == 0);
    length =
        aw_candump_format(frame, record->channel, options, line, sizeof(line));
    FUZZ_REQUIRE(length > 0 && line[length] == '\0');
    FUZZ_REQUIRE(strlen(line) == (size_t)length);
    FUZZ_REQUIRE(aw_candump_parse(line, (size_t)length, &again, &error) ==
                 AW_CANDUMP_FRAME);
    FUZZ_REQUIRE(same(record, &again));
    /* Where there is one byte too few, none is written beyond. */
    FUZZ_REQUIRE(aw_candump_format(frame, record->channel, options, line,
                                   (size_t)length) == -ENOSPC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct aw_candump record;
    struct aw_error error = {""};
    int result = aw_candump_parse((const char *)data, size, &record, &error);

    if (result < 0) {
        FUZZ_REQUIRE(result == -EINVAL);
        FUZZ_REQUIRE(fuzz_is_sentence(error.text));
    } else if (result == AW_CANDUMP_FRAME) {
        check_frame(&record);
    } else if (result == AW_CANDUMP_DROPS) {
        FUZZ_REQUIRE(strlen(record.channel) > 0);
    } else {
        FUZZ_REQUIRE(result == AW_CANDUMP_OTHER);
    }
    return 0;
}
