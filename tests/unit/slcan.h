/* A controller on a serial line that is no line: the kernel's slcan at one end
 * of a pseudo terminal, the test at the other, where it says what the
 * controller's firmware would. So rtnetlink has a real controller to tell of:
 * with bit rates, states and bus-off. */
#ifndef SLCAN_H
#define SLCAN_H

#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "can_fixture.h"

#define SLCAN_DISCIPLINE 17 /* N_SLCAN of linux/tty.h */

struct slcan {
    int firmware; /* the test's end */
    int line;
    char name[IFNAMSIZ];
    pthread_t listener;   /* the firmware takes what it is told, */
    pthread_mutex_t busy; /* unless it is halted */
};

/* Until the line is closed at the other end. */
static inline void *slcan_listen(void *argument)
{
    struct slcan *slcan = argument;
    struct pollfd wait = {.fd = slcan->firmware, .events = POLLIN};
    char text[256];
    ssize_t bytes;

    do {
        (void)poll(&wait, 1, -1);
        pthread_mutex_lock(&slcan->busy);
        bytes = read(slcan->firmware, text, sizeof(text));
        pthread_mutex_unlock(&slcan->busy);
    } while (bytes > 0);
    return NULL;
}

static inline void slcan_halt(struct slcan *slcan)
{
    pthread_mutex_lock(&slcan->busy);
}

static inline void slcan_go_on(struct slcan *slcan)
{
    pthread_mutex_unlock(&slcan->busy);
}

static inline void slcan_open_line(struct slcan *slcan)
{
    struct termios raw;

    slcan->firmware = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(slcan->firmware >= 0);
    assert_int_equal(grantpt(slcan->firmware), 0);
    assert_int_equal(unlockpt(slcan->firmware), 0);
    slcan->line = open(ptsname(slcan->firmware), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(slcan->line >= 0);
    assert_int_equal(tcgetattr(slcan->line, &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(slcan->line, TCSANOW, &raw), 0);
}

static inline struct slcan *slcan_open(void)
{
    struct slcan *slcan = calloc(1, sizeof(*slcan));
    int discipline = SLCAN_DISCIPLINE;
    struct ifreq answer;

    assert_non_null(slcan);
    slcan_open_line(slcan);
    assert_int_equal(ioctl(slcan->line, TIOCSETD, &discipline), 0);
    assert_int_equal(ioctl(slcan->line, SIOCGIFNAME, &answer), 0);
    memcpy(slcan->name, answer.ifr_name, sizeof(slcan->name));
    pthread_mutex_init(&slcan->busy, NULL);
    assert_int_equal(
        pthread_create(&slcan->listener, NULL, slcan_listen, slcan), 0);
    return slcan;
}

/* As if it were pulled out. */
static inline void slcan_close(struct slcan *slcan)
{
    close(slcan->line);
    pthread_join(slcan->listener, NULL);
    close(slcan->firmware);
    pthread_mutex_destroy(&slcan->busy);
    free(slcan);
}

/* The firmware says something: "sp128000" is error-passive, 128 receive errors
 * and no transmit errors. */
static inline void slcan_say(const struct slcan *slcan, const char *text)
{
    char line[64];
    int length = snprintf(line, sizeof(line), "%s\r", text);

    assert_int_equal(write(slcan->firmware, line, (size_t)length), length);
}

/* ip link set NAME …, as `ip(1)` has it. */
static inline void slcan_set(const struct slcan *slcan, const char *how)
{
    char arguments[128];

    snprintf(arguments, sizeof(arguments), "link set %s %s", slcan->name, how);
    ip(arguments);
}

#endif
