/* Floods a UDP port of this machine, as fast as one thread can.
 *
 *     flood PORT SECONDS BYTES
 *
 * Prints how many datagrams of BYTES bytes it has sent, then sends one of a
 * single byte every 10 ms, for whoever waits for the end, until it is killed or
 * five seconds have passed. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define BATCH         32u
#define LONGEST       9000u
#define MARK_EVERY_NS 10000000L
#define MARKS         500

struct flood {
    uint16_t port;
    double seconds;
    size_t bytes;
    int fd;
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool parse(char *const words[], struct flood *ret_flood)
{
    long port = strtol(words[0], NULL, 10);
    double seconds = strtod(words[1], NULL);
    long bytes = strtol(words[2], NULL, 10);

    if (port < 1 || port > UINT16_MAX || seconds <= 0 || seconds > 60 ||
        bytes < 2 || bytes > (long)LONGEST)
        return false;
    *ret_flood = (struct flood){.port = (uint16_t)port,
                                .seconds = seconds,
                                .bytes = (size_t)bytes,
                                .fd = -1};
    return true;
}

static int open_socket(struct flood *flood)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(flood->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    flood->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (flood->fd < 0 ||
        connect(flood->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        return -errno;
    return 0;
}

/* Sends until the time is up; returns how many datagrams, or a negative errno.
 */
static int64_t send_all(const struct flood *flood)
{
    static unsigned char payload[LONGEST];
    struct iovec vector = {.iov_base = payload, .iov_len = flood->bytes};
    struct mmsghdr batch[BATCH];
    double end_s = now_s() + flood->seconds;
    int64_t sent = 0;

    memset(batch, 0, sizeof(batch));
    for (size_t i = 0; i < BATCH; i++) {
        batch[i].msg_hdr.msg_iov = &vector;
        batch[i].msg_hdr.msg_iovlen = 1;
    }
    while (now_s() < end_s) {
        int count = sendmmsg(flood->fd, batch, BATCH, 0);

        /* Nobody listens, or not any more: what is sent is sent. */
        if (count < 0 && errno != ECONNREFUSED && errno != EINTR)
            return -errno;
        sent += count > 0 ? count : 0;
    }
    return sent;
}

static void mark_the_end(const struct flood *flood)
{
    const struct timespec pause = {.tv_nsec = MARK_EVERY_NS};

    for (int i = 0; i < MARKS; i++) {
        nanosleep(&pause, NULL);
        if (send(flood->fd, "", 1, 0) < 0 && errno != ECONNREFUSED)
            return;
    }
}

int main(int argc, char **argv)
{
    struct flood flood;
    int64_t sent;
    int result;

    if (argc != 4 || !parse(argv + 1, &flood)) {
        fputs("usage: flood PORT SECONDS(..60) BYTES(2..9000)\n", stderr);
        return 64;
    }
    result = open_socket(&flood);
    sent = result < 0 ? result : send_all(&flood);
    if (sent < 0) {
        fprintf(stderr, "flood: cannot send: %s\n", strerror((int)-sent));
        return 1;
    }
    printf("%" PRId64 "\n", sent);
    fflush(stdout);
    mark_the_end(&flood);
    close(flood.fd);
    return 0;
}
