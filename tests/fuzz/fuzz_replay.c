/* A log as a file: every line of it becomes a frame, or is accounted for. The
 * lines are counted once more here, by other means. */
#include <stdlib.h>
#include <string.h>

#include "devices/candump.h"
#include "devices/device_config.h"
#include "devices/drivers.h"
#include "tests/fuzz/fuzz.h"

/* Of the driver's buffer: a longer line is no record. */
#define LINE_MAX_BYTES (64u * 1024)

/* What a log holds. */
struct sums {
    uint64_t frames, broken, unfit, drops;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_begin(true);
    return 0;
}

/* ---- counted here ---- */

static bool is_comment(const char *line, size_t length)
{
    for (; length > 0 && memchr(" \t\r", *line, 3); length--)
        line++;
    return length == 0 || *line == '#';
}

static void count_line(const char *line, size_t length, uint32_t payload_bytes,
                       struct sums *sums)
{
    static struct aw_candump record;
    struct aw_error error;
    int result;

    if (length >= LINE_MAX_BYTES) {
        sums->broken += line[0] == '(';
        return;
    }
    result = aw_candump_parse(line, length, &record, &error);
    if (result == AW_CANDUMP_DROPS)
        sums->drops += record.drops;
    else if (result != AW_CANDUMP_FRAME)
        sums->broken += result < 0 || !is_comment(line, length);
    else if (aw_candump_frame(&record)->length > payload_bytes)
        sums->unfit++;
    else
        sums->frames++;
}

static struct sums count(const char *text, size_t size, uint32_t payload_bytes)
{
    struct sums sums = {0};

    while (size > 0) {
        const char *newline = memchr(text, '\n', size);
        size_t length = newline ? (size_t)(newline - text) : size;

        count_line(text, length, payload_bytes, &sums);
        text += length + (newline != NULL);
        size -= length + (newline != NULL);
    }
    return sums;
}

/* ---- replayed ---- */

struct player {
    struct aw_device_config *config;
    struct aw_link link;
    struct aw_batch batch;
};

static void set(struct player *player, const char *key, const char *text)
{
    FUZZ_REQUIRE(aw_device_config_set(player->config, key, text, NULL) == 0);
}

static int open_log(struct player *player, const char *path,
                    const char *max_payload, struct aw_channels *channels)
{
    struct aw_error error = {""};
    int result;

    FUZZ_REQUIRE(aw_device_config_new("log", "replay", &player->config, NULL) ==
                 0);
    set(player, "path", path);
    set(player, "speed", "max");
    set(player, "max_payload", max_payload);
    player->link.name = "log";
    player->link.channels = channels;
    result =
        aw_replay_driver.open(&player->link, player->config->values, &error);
    FUZZ_REQUIRE(result == 0 || fuzz_is_sentence(error.text));
    return result;
}

/* Plays it to its end. Returns the frames, or -1: it cannot be read. */
static int64_t play(struct player *player) AW_ON(reader)
{
    struct aw_batch *batch = &player->batch;
    int64_t frames = 0;

    batch->slot_bytes = aw_slot_bytes(player->link.payload_bytes);
    batch->slots = calloc(AW_BATCH_FRAMES, batch->slot_bytes);
    FUZZ_REQUIRE(batch->slots);
    aw_replay_driver.start(&player->link);
    while (!batch->ended) {
        batch->limit = AW_BATCH_FRAMES;
        batch->count = 0;
        if (aw_replay_driver.read(&player->link, batch) < 0)
            return -1;
        frames += batch->count;
        for (uint32_t i = 0; i < batch->count; i++)
            FUZZ_REQUIRE(aw_frame_plausible(aw_batch_at(batch, i),
                                            player->link.payload_bytes));
    }
    return frames;
}

static bool is_gzip(const uint8_t *data, size_t size)
{
    return size > 1 && data[0] == 0x1f && data[1] == 0x8b;
}

static void compare(struct player *player, const uint8_t *data, size_t size)
{
    struct sums sums =
        count((const char *)data, size, player->link.payload_bytes);
    struct aw_source_account account;
    int64_t frames;

    aw_role_assume(&aw_role_reader);
    frames = play(player);
    aw_replay_driver.account(&player->link, &account);
    if (is_gzip(data, size))
        return;
    FUZZ_REQUIRE(frames == (int64_t)sums.frames);
    FUZZ_REQUIRE(account.broken_lines == sums.broken);
    FUZZ_REQUIRE(account.too_long == sums.unfit);
    FUZZ_REQUIRE(account.recorded_losses == sums.drops);
}

/* The first byte chooses the size of the slots, the rest is the file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const sizes[] = {"8", "64", "2048"};
    static struct aw_channels channels;
    struct player player = {0};
    int result;

    if (size == 0)
        return 0;
    channels.count = 0;
    result = open_log(&player, fuzz_file(data + 1, size - 1),
                      sizes[data[0] % 3], &channels);
    if (result == 0) {
        compare(&player, data + 1, size - 1);
        aw_replay_driver.close(&player.link);
    }
    free(player.batch.slots);
    aw_device_config_free(player.config);
    return 0;
}
