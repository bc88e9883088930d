/* Floods an Ethernet interface with frames, as fast as one thread can: the bare
 * sendmmsg loop that sending is compared with.
 *
 *     packet_flood INTERFACE SECONDS BYTES
 *
 * Prints how many frames of BYTES bytes the kernel has taken, then sends one of
 * another EtherType every 10 ms, for whoever waits for the end, until it is
 * killed or five seconds have passed. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH         64u
#define SHORTEST      60
#define LONGEST       1514
#define MARK_EVERY_NS 10000000L
#define MARKS         500

/* IEEE Std 802: local experimental EtherTypes 1 and 2. */
static const unsigned char HEAD[] = {0x02, 0, 0, 0, 0, 1,    0x02,
                                     0,    0, 0, 0, 2, 0x88, 0xb5};
static const unsigned char MARK[SHORTEST] = {0x02, 0, 0, 0, 0, 1,    0x02,
                                             0,    0, 0, 0, 2, 0x88, 0xb6};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Returns a descriptor or a negative errno. */
static int open_socket(const char *interface)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_ifindex = (int)if_nametoindex(interface)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (fd < 0 || to.sll_ifindex == 0 ||
        bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        return -errno;
    return fd;
}

/* Sends until the time is up; returns how many frames, or a negative errno. */
static int64_t send_all(int fd, double seconds, size_t bytes)
{
    static unsigned char frame[LONGEST];
    struct iovec vector = {.iov_base = frame, .iov_len = bytes};
    struct mmsghdr batch[BATCH];
    double end_s = now_s() + seconds;
    int64_t sent = 0;

    memcpy(frame, HEAD, sizeof(HEAD));
    memset(batch, 0, sizeof(batch));
    for (size_t i = 0; i < BATCH; i++) {
        batch[i].msg_hdr.msg_iov = &vector;
        batch[i].msg_hdr.msg_iovlen = 1;
    }
    while (now_s() < end_s) {
        int count = sendmmsg(fd, batch, BATCH, 0);

        if (count < 0 && errno != ENOBUFS && errno != EINTR)
            return -errno;
        sent += count > 0 ? count : 0;
    }
    return sent;
}

static void mark_the_end(int fd)
{
    const struct timespec pause = {.tv_nsec = MARK_EVERY_NS};

    for (int i = 0; i < MARKS; i++) {
        nanosleep(&pause, NULL);
        if (send(fd, MARK, sizeof(MARK), 0) < 0 && errno != ENOBUFS)
            return;
    }
}

int main(int argc, char **argv)
{
    double seconds = argc == 4 ? strtod(argv[2], NULL) : 0;
    long bytes = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
    int64_t sent;
    int fd;

    if (seconds <= 0 || seconds > 60 || bytes < SHORTEST || bytes > LONGEST) {
        fputs("usage: packet_flood INTERFACE SECONDS(..60) BYTES(60..1514)\n",
              stderr);
        return 64;
    }
    fd = open_socket(argv[1]);
    sent = fd < 0 ? fd : send_all(fd, seconds, (size_t)bytes);
    if (sent < 0) {
        fprintf(stderr, "packet_flood: cannot send: %s\n",
                strerror((int)-sent));
        return 1;
    }
    printf("%" PRId64 "\n", sent);
    fflush(stdout);
    mark_the_end(fd);
    close(fd);
    return 0;
}
