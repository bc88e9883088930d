/* A datagram of rtnetlink: each message is taken whole, none twice, and what is
 * said of an interface is within its bounds. */
#include <stdlib.h>
#include <string.h>

#include "devices/can_netlink.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_begin(false);
    return 0;
}

static void check_facts(const struct aw_can_facts *facts)
{
    FUZZ_REQUIRE(memchr(facts->name, '\0', sizeof(facts->name)));
    FUZZ_REQUIRE(facts->bus_state >= AW_BUS_UNKNOWN &&
                 facts->bus_state <= AW_BUS_SLEEPING);
    FUZZ_REQUIRE(facts->controller || facts->bus_state == AW_BUS_UNKNOWN);
}

/* What is asked by name can be read as a message, to its end. */
static void check_request(const struct aw_can_facts *facts)
{
    unsigned char bytes[AW_CAN_REQUEST_BYTES];
    const unsigned char *at = bytes;
    size_t size = aw_can_netlink_ask(bytes, 0, facts->name);
    struct aw_can_facts heard;

    FUZZ_REQUIRE(size <= sizeof(bytes));
    FUZZ_REQUIRE(aw_can_netlink_next(&at, &size, &heard) == AW_CAN_NEWS_OTHER);
    FUZZ_REQUIRE(size == 0);
    size = aw_can_netlink_set(bytes, facts->index, facts->bitrate,
                              facts->dbitrate);
    at = bytes;
    FUZZ_REQUIRE(aw_can_netlink_next(&at, &size, &heard) == AW_CAN_NEWS_LINK);
    FUZZ_REQUIRE(size == 0 && heard.index == facts->index);
    FUZZ_REQUIRE(heard.bitrate == facts->bitrate &&
                 heard.dbitrate == facts->dbitrate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Of its very size, so that a byte beyond is seen. */
    unsigned char *copy = malloc(size ? size : 1);
    const unsigned char *at = copy;
    size_t left = size;
    int news;

    FUZZ_REQUIRE(copy);
    if (size > 0)
        memcpy(copy, data, size);
    do {
        struct aw_can_facts facts = {.index = -1};
        size_t before = left;

        news = aw_can_netlink_next(&at, &left, &facts);
        FUZZ_REQUIRE(news <= (int)AW_CAN_NEWS_OTHER);
        FUZZ_REQUIRE(at + left == copy + size);
        FUZZ_REQUIRE(left < before || news == AW_CAN_NEWS_NONE);
        if (news == AW_CAN_NEWS_LINK) {
            check_facts(&facts);
            check_request(&facts);
        }
    } while (news != AW_CAN_NEWS_NONE);
    free(copy);
    return 0;
}
