/* Messages as recvmmsg() has them, of bcm, isotp and j1939: with data, flags,
 * sender and control messages of any content. Linked with --wrap=recvmmsg.
 *
 * Each becomes one frame within its slot, and its bytes are there, or the read
 * is refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "devices/device_config.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/messages.h"

int __wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                    struct timespec *timeout);

struct kind {
    const struct fuzz_messages *messages;
    const char *name;
    const char *settings[6][2]; /* key and value; up to a NULL */
};

static const struct kind kinds[] = {
    {&fuzz_bcm, "bcm", {{"interface", "can0"}, {"watch", "123##FF"}}},
    {&fuzz_isotp,
     "isotp",
     {{"interface", "can0"},
      {"tx_id", "1"},
      {"rx_id", "2"},
      {"max_payload", "64"}}},
    {&fuzz_j1939, "j1939", {{"interface", "can0"}, {"max_payload", "64"}}},
};

#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

/* What the kernel will hand over next. */
static struct fuzz_input kernel;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_begin(true);
    return 0;
}

/* ---- the kernel ---- */

/* Control messages of the sizes that the kernel gives them, of any content, as
 * many as there is room for. */
static void put_controls(struct msghdr *header)
{
    static const struct {
        int level, type;
        unsigned bytes;
    } sorts[] = {
        {SOL_SOCKET, SCM_TIMESTAMPNS, sizeof(struct timespec)},
        {SOL_SOCKET, SCM_TIMESTAMPING, 3 * sizeof(struct timespec)},
        {SOL_SOCKET, SO_RXQ_OVFL, sizeof(uint32_t)},
        {SOL_CAN_J1939, SCM_J1939_DEST_ADDR, 1},
        {SOL_CAN_J1939, SCM_J1939_DEST_NAME, 8},
        {SOL_CAN_J1939, SCM_J1939_PRIO, 1},
    };
    unsigned chosen = (unsigned)fuzz_take(&kernel, 1);
    size_t room = header->msg_controllen, used = 0;

    for (unsigned i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++) {
        struct cmsghdr head = {.cmsg_len = CMSG_LEN(sorts[i].bytes),
                               .cmsg_level = sorts[i].level,
                               .cmsg_type = sorts[i].type};
        unsigned char *place = (unsigned char *)header->msg_control + used;

        if (!(chosen >> i & 1) || used + CMSG_SPACE(sorts[i].bytes) > room ||
            sorts[i].type == SCM_TIMESTAMPING)
            continue;
        memcpy(place, &head, sizeof(head));
        fuzz_take_bytes(&kernel, place + CMSG_LEN(0), sorts[i].bytes);
        used += CMSG_SPACE(sorts[i].bytes);
    }
    header->msg_controllen = used;
}

static unsigned put_message(struct msghdr *header, int flags)
{
    const struct iovec *place = header->msg_iov;
    unsigned sent = (unsigned)fuzz_take(&kernel, 1) * 2;
    size_t taken = sent < place->iov_len ? sent : place->iov_len;

    header->msg_flags = (int)(fuzz_take(&kernel, 2) & ~(unsigned)MSG_TRUNC);
    if (sent > taken)
        header->msg_flags |= MSG_TRUNC;
    fuzz_take_bytes(&kernel, header->msg_name, header->msg_namelen);
    put_controls(header);
    memset(place->iov_base, 0, taken);
    fuzz_take_bytes(&kernel, place->iov_base, taken);
    return flags & MSG_TRUNC ? sent : (unsigned)taken;
}

int __wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                    struct timespec *timeout)
{
    unsigned made = 0;

    (void)fd;
    (void)timeout;
    for (; made < count && kernel.left > 0; made++)
        messages[made].msg_len = put_message(&messages[made].msg_hdr, flags);
    if (made > 0)
        return (int)made;
    errno = EAGAIN;
    return -1;
}

/* ---- the reader ---- */

static struct aw_device_config *configure(const struct kind *kind)
{
    struct aw_device_config *config;

    FUZZ_REQUIRE(aw_device_config_new("bus", kind->name, &config, NULL) == 0);
    for (size_t i = 0; kind->settings[i][0]; i++)
        FUZZ_REQUIRE(aw_device_config_set(config, kind->settings[i][0],
                                          kind->settings[i][1], NULL) == 0);
    FUZZ_REQUIRE(aw_device_config_check(config, NULL) == 0);
    return config;
}

static void check_batch(const struct aw_link *link, struct aw_batch *batch)
{
    FUZZ_REQUIRE(batch->count <= batch->limit);
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct aw_frame *frame = aw_batch_at(batch, i);

        FUZZ_REQUIRE(aw_frame_plausible(frame, link->payload_bytes));
        FUZZ_REQUIRE(frame->channel == 0);
    }
}

static void read_all(const struct aw_driver *driver, struct aw_link *link,
                     struct aw_batch *batch, struct aw_socket *socket)
    AW_ON(reader)
{
    int result;

    do {
        batch->count = 0;
        memset(batch->marks, 0, sizeof(batch->marks));
        result = driver->read(link, batch);
        check_batch(link, batch);
        FUZZ_REQUIRE(result == 0 || result == -EPROTO);
        FUZZ_REQUIRE(result < 0 || batch->count == 0 ||
                     batch->count == socket->used);
    } while (result == 0 && batch->count > 0);
}

static void run(const struct kind *kind, uint32_t limit)
{
    const struct aw_driver *driver = kind->messages->driver;
    struct aw_device_config *config = configure(kind);
    static struct aw_channels channels;
    struct aw_link link = {.name = "bus", .aux_fd = -1, .channels = &channels};
    struct aw_batch batch = {.limit = limit};
    struct aw_socket *socket;

    aw_role_assume(&aw_role_reader);
    FUZZ_REQUIRE(aw_socket_new(AF_INET, SOCK_DGRAM, 0, &socket) == 0);
    driver->describe(&link, config->values);
    link.state = kind->messages->make(socket, config->values);
    batch.slot_bytes = aw_slot_bytes(link.payload_bytes);
    batch.slots = calloc(limit, batch.slot_bytes);
    FUZZ_REQUIRE(batch.slots);
    read_all(driver, &link, &batch, socket);
    driver->close(&link);
    free(batch.slots);
    aw_device_config_free(config);
}

/* Kind, frames of a batch, then what the kernel hands over. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct kind *kind;
    uint32_t limit;

    kernel = (struct fuzz_input){data, size};
    kind = &kinds[fuzz_take(&kernel, 1) % KIND_COUNT];
    limit = 1 + fuzz_take(&kernel, 1) % 16;
    run(kind, limit);
    return 0;
}
