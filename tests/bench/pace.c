/* Sends datagrams to a UDP port of this machine at a steady rate.
 *
 *     pace PORT RATE SECONDS
 *
 * Each is as long as a classic CAN frame's data, eight bytes: CLOCK_MONOTONIC
 * in nanoseconds as it is sent, in the machine's byte order. Then it prints how
 * many it has sent, and sends one of a single byte every 10 ms for whoever
 * waits for the end, until it is killed or five seconds have passed. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S      INT64_C(1000000000)
#define MARK_EVERY_NS 10000000L
#define MARKS         500

struct pace {
    int fd;
    uint16_t port;
    long rate;
    double seconds;
};

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void sleep_until(int64_t ns)
{
    const struct timespec until = {.tv_sec = ns / NS_PER_S,
                                   .tv_nsec = ns % NS_PER_S};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) ==
           EINTR)
        continue;
}

static bool parse(char *const words[], struct pace *ret_pace)
{
    long port = strtol(words[0], NULL, 10);
    long rate = strtol(words[1], NULL, 10);
    double seconds = strtod(words[2], NULL);

    if (port < 1 || port > UINT16_MAX || rate < 1 || rate > 1000000 ||
        seconds <= 0 || seconds > 60)
        return false;
    *ret_pace = (struct pace){
        .fd = -1, .port = (uint16_t)port, .rate = rate, .seconds = seconds};
    return true;
}

static int open_socket(struct pace *pace)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(pace->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    pace->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (pace->fd < 0 ||
        connect(pace->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        return -errno;
    return 0;
}

/* What comes late is sent at once, each with the time at which it really was
 * sent. Returns how many, or a negative errno. */
static int64_t send_all(const struct pace *pace)
{
    int64_t count = (int64_t)((double)pace->rate * pace->seconds);
    int64_t begin_ns = now_ns();

    for (int64_t i = 0; i < count; i++) {
        int64_t due_ns = begin_ns + i * NS_PER_S / pace->rate;
        int64_t sent_ns = now_ns();

        if (sent_ns < due_ns) {
            sleep_until(due_ns);
            sent_ns = now_ns();
        }
        if (send(pace->fd, &sent_ns, sizeof(sent_ns), 0) < 0 &&
            errno != ECONNREFUSED)
            return -errno;
    }
    return count;
}

static void mark_the_end(const struct pace *pace)
{
    for (int i = 0; i < MARKS; i++) {
        sleep_until(now_ns() + MARK_EVERY_NS);
        if (send(pace->fd, "", 1, 0) < 0 && errno != ECONNREFUSED)
            return;
    }
}

int main(int argc, char **argv)
{
    struct pace pace;
    int64_t sent;
    int result;

    if (argc != 4 || !parse(argv + 1, &pace)) {
        fputs("usage: pace PORT RATE(..1000000) SECONDS(..60)\n", stderr);
        return 64;
    }
    /* The default of 50 µs would make pairs of frames at 20 kHz. */
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    result = open_socket(&pace);
    sent = result < 0 ? result : send_all(&pace);
    if (sent < 0) {
        fprintf(stderr, "pace: cannot send: %s\n", strerror((int)-sent));
        return 1;
    }
    printf("%" PRId64 "\n", sent);
    fflush(stdout);
    mark_the_end(&pace);
    close(pace.fd);
    return 0;
}
