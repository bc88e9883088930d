/* The floor: a bare C reader of a UDP port, which does nothing with what comes.
 *
 *     floor PORT
 *
 * Prints "ready" once it is bound. It reads batches with recvmmsg until a
 * datagram of a single byte, and then prints how many came before it, the
 * seconds from the first to the last, and its processor time in seconds. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define BATCH        64u
#define LONGEST      2048u
#define BUFFER_BYTES (16 << 20) /* as the other contenders have */

struct reader {
    struct mmsghdr batch[BATCH];
    struct iovec vectors[BATCH];
    unsigned char payloads[BATCH][LONGEST];
    int fd;
    int64_t count;
    double begin_s, end_s;
};

static double seconds(const struct timespec *time)
{
    return (double)time->tv_sec + (double)time->tv_nsec / 1e9;
}

static double now_s(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return seconds(&now);
}

static int open_socket(struct reader *reader, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int bytes = BUFFER_BYTES;

    reader->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (reader->fd < 0)
        return -errno;
    setsockopt(reader->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    setsockopt(reader->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
    if (bind(reader->fd, (struct sockaddr *)&at, sizeof(at)) < 0)
        return -errno;
    return 0;
}

static void prepare(struct reader *reader)
{
    for (size_t i = 0; i < BATCH; i++) {
        reader->vectors[i].iov_base = reader->payloads[i];
        reader->vectors[i].iov_len = LONGEST;
        reader->batch[i].msg_hdr.msg_iov = &reader->vectors[i];
        reader->batch[i].msg_hdr.msg_iovlen = 1;
    }
}

/* True when the end has come. */
static bool count_batch(struct reader *reader, unsigned received)
{
    for (unsigned i = 0; i < received; i++) {
        if (reader->batch[i].msg_len == 1)
            return true;
        reader->count++;
    }
    return false;
}

/* Returns 0 or a negative errno. */
static int read_all(struct reader *reader)
{
    bool ended = false;

    while (!ended) {
        int received =
            recvmmsg(reader->fd, reader->batch, BATCH, MSG_WAITFORONE, NULL);

        if (received < 0 && errno == EINTR)
            continue;
        if (received < 0)
            return -errno;
        if (reader->count == 0)
            reader->begin_s = now_s(CLOCK_MONOTONIC);
        ended = count_batch(reader, (unsigned)received);
    }
    reader->end_s = now_s(CLOCK_MONOTONIC);
    return 0;
}

int main(int argc, char **argv)
{
    static struct reader reader;
    long port = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    int result;

    if (port < 1 || port > UINT16_MAX) {
        fputs("usage: floor PORT\n", stderr);
        return 64;
    }
    prepare(&reader);
    result = open_socket(&reader, (uint16_t)port);
    if (result == 0) {
        puts("ready");
        fflush(stdout);
        result = read_all(&reader);
    }
    if (result < 0) {
        fprintf(stderr, "floor: cannot receive: %s\n", strerror(-result));
        return 1;
    }
    printf("%" PRId64 " %.6f %.6f\n", reader.count,
           reader.end_s - reader.begin_s, now_s(CLOCK_PROCESS_CPUTIME_ID));
    close(reader.fd);
    return 0;
}
