#include "devices/bcm_watch.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "devices/queue/frame.h"

#define US_PER_S UINT64_C(1000000)

/* A day: the kernel takes more, but nobody means it. */
#define INTERVAL_MAX_US (86400 * US_PER_S)

/* What stands between entries. */
#define BETWEEN " \t,"

static int hex_digit(char letter)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *place = letter ? strchr(digits, letter) : NULL;

    return place ? (int)((place - digits) % 16) : -1;
}

/* ---- pieces: each moves `*cursor` on, or says what is wrong with it ---- */

static const char *parse_id(const char **cursor, struct aw_bcm_watch *watch)
{
    size_t digits = 0;
    uint32_t id = 0;

    while (digits < 9 && hex_digit((*cursor)[digits]) >= 0)
        id = id << 4 | (uint32_t)hex_digit((*cursor)[digits++]);
    if (digits == 3 && id <= AW_CAN_SFF_MASK)
        watch->id = id;
    else if (digits == 8 && id <= AW_CAN_ID_MASK)
        watch->id = id | AW_CAN_EXTENDED;
    else
        return "an identifier has three hexadecimal digits up to 7FF, or eight "
               "up to 1FFFFFFF";
    *cursor += digits;
    return NULL;
}

static const char *parse_mask(const char **cursor, struct aw_bcm_watch *watch)
{
    size_t room = watch->fd ? CANFD_MAX_DLEN : CAN_MAX_DLEN, count = 0;

    if (**cursor == '*') {
        memset(watch->mask, 0xff, room);
        watch->masked = watch->length = true;
        *cursor += 1;
        return NULL;
    }
    while (count < room && hex_digit((*cursor)[0]) >= 0 &&
           hex_digit((*cursor)[1]) >= 0) {
        watch->mask[count++] =
            (uint8_t)(hex_digit((*cursor)[0]) << 4 | hex_digit((*cursor)[1]));
        *cursor += 2;
    }
    watch->masked = count > 0;
    if (hex_digit(**cursor) >= 0)
        return "a mask has two hexadecimal digits for each byte, up to the "
               "frame's 8, or 64 behind ##";
    if (count == 0 && !watch->fd)
        return "behind # comes a mask, as FF00, or * for every bit";
    return NULL;
}

/* Decimal seconds, down to the microsecond; a point in every locale. */
static const char *parse_interval(const char **cursor, uint64_t *ret_us)
{
    const char *start = *cursor;
    uint64_t us = 0, unit = US_PER_S;

    while (**cursor >= '0' && **cursor <= '9' && us <= INTERVAL_MAX_US)
        us = us * 10 + (uint64_t)(*(*cursor)++ - '0') * US_PER_S;
    if (**cursor == '.') {
        *cursor += 1;
        while (**cursor >= '0' && **cursor <= '9') {
            unit /= 10;
            us += (uint64_t)(*(*cursor)++ - '0') * unit;
        }
    }
    if (*cursor == start || us == 0 || us > INTERVAL_MAX_US)
        return "a time is in seconds, as 0.5, from 0.000001 to 86400";
    *ret_us = us;
    return NULL;
}

static const char *parse_entry(const char **cursor, struct aw_bcm_watch *watch)
{
    const char *wrong = parse_id(cursor, watch);

    if (!wrong && **cursor == '#') {
        *cursor += 1;
        watch->fd = **cursor == '#';
        *cursor += watch->fd;
        wrong = parse_mask(cursor, watch);
    }
    if (!wrong && **cursor == ':') {
        *cursor += 1;
        wrong = parse_interval(cursor, &watch->timeout_us);
    }
    if (!wrong && **cursor == '/') {
        *cursor += 1;
        wrong = parse_interval(cursor, &watch->throttle_us);
    }
    if (!wrong && **cursor && !strchr(BETWEEN, **cursor))
        wrong = "expected ID[#MASK][:TIMEOUT][/THROTTLE], as 123#FF00:0.5";
    return wrong;
}

/* The kernel would take the second for the first, changed. */
static bool is_known(const struct aw_bcm_watch *watches, int count)
{
    for (int i = 0; i < count; i++) {
        if (watches[i].id == watches[count].id &&
            watches[i].fd == watches[count].fd)
            return true;
    }
    return false;
}

int aw_bcm_watches_parse(const char *text, struct aw_bcm_watch *ret_watches,
                         struct aw_error *error)
{
    const char *cursor = text + strspn(text, BETWEEN);
    int count = 0;

    while (*cursor) {
        const char *start = cursor, *wrong;

        if (count == (int)AW_BCM_WATCHES_MAX)
            return aw_error_set(error, EINVAL,
                                "watch has more than %u identifiers",
                                AW_BCM_WATCHES_MAX);
        ret_watches[count] = (struct aw_bcm_watch){0};
        wrong = parse_entry(&cursor, &ret_watches[count]);
        if (!wrong && is_known(ret_watches, count))
            wrong = "it is there twice";
        if (wrong)
            return aw_error_set(error, EINVAL, "watch, at \"%.*s\": %s",
                                (int)strcspn(start, BETWEEN), start, wrong);
        count++;
        cursor += strspn(cursor, BETWEEN);
    }
    if (count == 0)
        return aw_error_set(error, EINVAL,
                            "watch names no identifier: it takes "
                            "ID[#MASK][:TIMEOUT][/THROTTLE], as 123#FF00:0.5");
    return count;
}

/* ---- for the kernel ---- */

struct bcm_timeval aw_bcm_interval(uint64_t us)
{
    return (struct bcm_timeval){(long)(us / US_PER_S), (long)(us % US_PER_S)};
}

static uint32_t flags_of(const struct aw_bcm_watch *watch)
{
    uint32_t flags = SETTIMER;

    /* From now on: a frame that never comes stays away, too. And one that comes
     * again is told, though it is as it was. */
    if (watch->timeout_us)
        flags |= STARTTIMER | RX_ANNOUNCE_RESUME;
    if (watch->fd)
        flags |= CAN_FD_FRAME;
    if (watch->length)
        flags |= RX_CHECK_DLC;
    return watch->masked ? flags : flags | RX_FILTER_ID;
}

size_t aw_bcm_watch_export(const struct aw_bcm_watch *watch,
                           union aw_bcm_message *ret_message)
{
    /* The two kinds of frame agree in where the data lie. */
    struct canfd_frame mask = {
        .can_id = watch->id,
        .len = watch->fd ? CANFD_MAX_DLEN : CAN_MAX_DLEN,
    };
    size_t frame_bytes = watch->fd ? CANFD_MTU : CAN_MTU;

    *ret_message =
        (union aw_bcm_message){.head = {
                                   .opcode = RX_SETUP,
                                   .flags = flags_of(watch),
                                   .ival1 = aw_bcm_interval(watch->timeout_us),
                                   .ival2 = aw_bcm_interval(watch->throttle_us),
                                   .can_id = watch->id,
                                   .nframes = watch->masked ? 1 : 0,
                               }};
    if (!watch->masked)
        return sizeof(ret_message->head);
    memcpy(mask.data, watch->mask, mask.len);
    memcpy(ret_message->bytes + sizeof(ret_message->head), &mask, frame_bytes);
    return sizeof(ret_message->head) + frame_bytes;
}
