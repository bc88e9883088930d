/* The floor: a bare C loop on a TPACKET_V3 ring, which does nothing with what
 * comes but to count it.
 *
 *     packet_floor INTERFACE
 *
 * Prints "ready" once it is bound. It reads blocks until a frame of the second
 * local experimental EtherType, and then prints how many came before it, the
 * seconds from the first to the last, and its processor time in seconds. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* As awaitd's: 16 MiB in blocks of 256 KiB, handed over after 1 ms. */
#define BLOCK_BYTES (1u << 18)
#define BLOCK_COUNT 64u
#define FRAME_BYTES 2048u
#define TIMEOUT_MS  1u
#define MARK        0x88b6

struct reader {
    int fd;
    unsigned char *memory;
    uint32_t current;
    int64_t count;
    double begin_s, end_s;
};

static double now_s(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int make_ring(struct reader *reader)
{
    int version = TPACKET_V3;
    struct tpacket_req3 request = {
        .tp_block_size = BLOCK_BYTES,
        .tp_block_nr = BLOCK_COUNT,
        .tp_frame_size = FRAME_BYTES,
        .tp_frame_nr = BLOCK_BYTES / FRAME_BYTES * BLOCK_COUNT,
        .tp_retire_blk_tov = TIMEOUT_MS,
    };

    if (setsockopt(reader->fd, SOL_PACKET, PACKET_VERSION, &version,
                   sizeof(version)) < 0 ||
        setsockopt(reader->fd, SOL_PACKET, PACKET_RX_RING, &request,
                   sizeof(request)) < 0)
        return -errno;
    reader->memory = mmap(NULL, (size_t)BLOCK_BYTES * BLOCK_COUNT,
                          PROT_READ | PROT_WRITE, MAP_SHARED, reader->fd, 0);
    return reader->memory == MAP_FAILED ? -errno : 0;
}

static int open_ring(struct reader *reader, const char *interface)
{
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = (int)if_nametoindex(interface)};
    int result;

    reader->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (reader->fd < 0)
        return -errno;
    result = make_ring(reader);
    if (result == 0 && bind(reader->fd, (struct sockaddr *)&at, sizeof(at)) < 0)
        result = -errno;
    return result;
}

/* True when the end has come. */
static bool count_block(struct reader *reader,
                        const struct tpacket_block_desc *block)
{
    const unsigned char *place =
        (const unsigned char *)block + block->hdr.bh1.offset_to_first_pkt;

    for (uint32_t i = 0; i < block->hdr.bh1.num_pkts; i++) {
        const struct tpacket3_hdr *header = (const void *)place;
        const struct ethhdr *frame = (const void *)(place + header->tp_mac);

        if (ntohs(frame->h_proto) == MARK)
            return true;
        reader->count++;
        place += header->tp_next_offset;
    }
    return false;
}

/* Returns 0 or a negative errno. */
static int read_all(struct reader *reader)
{
    bool ended = false;

    while (!ended) {
        struct tpacket_block_desc *block =
            (void *)(reader->memory + (size_t)reader->current * BLOCK_BYTES);
        struct pollfd wait = {.fd = reader->fd, .events = POLLIN};

        /* Acquire, release: partner is the kernel, which fills the block. */
        if (!(__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) &
              TP_STATUS_USER)) {
            if (poll(&wait, 1, -1) < 0 && errno != EINTR)
                return -errno;
            continue;
        }
        if (reader->count == 0)
            reader->begin_s = now_s(CLOCK_MONOTONIC);
        ended = count_block(reader, block);
        __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL,
                         __ATOMIC_RELEASE);
        reader->current = (reader->current + 1) % BLOCK_COUNT;
        if (!ended)
            reader->end_s = now_s(CLOCK_MONOTONIC);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct reader reader;
    int result;

    if (argc != 2) {
        fputs("usage: packet_floor INTERFACE\n", stderr);
        return 64;
    }
    result = open_ring(&reader, argv[1]);
    if (result == 0) {
        puts("ready");
        fflush(stdout);
        result = read_all(&reader);
    }
    if (result < 0) {
        fprintf(stderr, "packet_floor: cannot receive: %s\n",
                strerror(-result));
        return 1;
    }
    printf("%" PRId64 " %.6f %.6f\n", reader.count,
           reader.end_s - reader.begin_s, now_s(CLOCK_PROCESS_CPUTIME_ID));
    return 0;
}
