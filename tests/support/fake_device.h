/* A device whose every move the test decides: what there is to read, what the
 * kernel lost, how each frame to send is answered, when it ends or fails. Its
 * reader is the real one. The reader polls one end of a pair of sockets; the
 * test rings at the other, and fills or drains it to say whether the device is
 * writable. Notes what the reader did, for a test to wait for. */
#ifndef AW_TEST_FAKE_DEVICE_H
#define AW_TEST_FAKE_DEVICE_H

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include "devices/device_config.h"
#include "tests/support/unit.h"

#define FAKE_UNITS_MAX  2048u
#define FAKE_DEADLINE_S 10

/* A unit to be read. */
struct fake_unit {
    uint32_t id;
    uint32_t lost_before;
    const char *exclude;
    uint8_t marks;   /* enum aw_mark */
    uint64_t age_ns; /* its moment lies so far back when it is read; 0: its
                        clocks say 1 */
};

/* What the reader's thread looked like from inside. */
struct fake_thread {
    sigset_t blocked;
    char name[16];
    cpu_set_t cpus;
    enum aw_role_name role;
};

struct fake {
    /* The test's to change before fake_open(). */
    struct aw_driver driver;
    struct aw_device_config config;
    enum aw_start start;
    bool paced;
    bool can_confirm;
    int aux_fd; /* of link; -1 */
    uint32_t kept_frames;

    struct aw_device *device;
    struct aw_value address; /* the driver's one option: this fake */
    int device_fd, test_fd;

    /* Both sides', under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct fake_unit units[FAKE_UNITS_MAX];
    uint32_t head, tail;
    bool ended;
    int open_result;              /* of open(), unless it is 0 */
    uint32_t payload_bytes;       /* what open() says */
    struct aw_link_status status; /* and this */
    uint32_t payload_limit;       /* what it was told */
    int failure;                  /* of read(), once all units are out */
    uint64_t lost;                /* what losses() says */
    int answer;                   /* of send(), */
    uint32_t refusals;            /* so many times; then 0 */
    uint32_t sent_id[FAKE_UNITS_MAX];
    struct fake_thread thread;
    /* What can be waited for. */
    uint32_t opens, starts, reads, attempts, sent, closes;
};

/* ---- its life ---- */

/* A fake that starts when it is opened and takes what is sent; not opened. */
struct fake *fake_new(void);

/* Opens it as the device "bench", which must succeed. */
void fake_open(struct fake *fake);

void fake_free(struct fake *fake);

/* cmocka: each test gets an opened fake as its state, or one to be opened. */
int fake_set_up(void **state);
int fake_set_up_open(void **state);
int fake_tear_down(void **state);

#define TEST_UNOPENED(test)                                                    \
    cmocka_unit_test_setup_teardown(test, fake_set_up, fake_tear_down)
#define TEST_OPEN(test)                                                        \
    cmocka_unit_test_setup_teardown(test, fake_set_up_open, fake_tear_down)

/* ---- what the test makes happen ---- */

/* `count` units of consecutive ids, there at once. */
void fake_receive(struct fake *fake, uint32_t first, uint32_t count);

/* `count` units, each `age_ns` old when it is read. */
void fake_receive_aged(struct fake *fake, uint32_t count, uint64_t age_ns);

/* One unit, behind `lost` that the kernel lost. */
void fake_receive_after(struct fake *fake, uint32_t id, uint32_t lost);

/* Adds a unit without a ring: it is read together with the next one that
 * rings. `exclude` as in struct aw_batch. */
void fake_add(struct fake *fake, uint32_t id, uint32_t lost,
              const char *exclude);
void fake_ring(struct fake *fake);

/* One unit with these marks. */
void fake_receive_marked(struct fake *fake, uint32_t id, uint8_t marks);

/* From now on losses() says this. */
void fake_lose(struct fake *fake, uint64_t lost);

/* The device ends, or, with a positive errno, fails, behind its last unit; it
 * has forgotten that when it is opened again. */
void fake_end(struct fake *fake, int failure);

/* From now on open() fails with `result`, or, with 0, succeeds. */
void fake_missing(struct fake *fake, int result);

/* The next `times` sends are answered with `result`. */
void fake_refuse(struct fake *fake, int result, uint32_t times);

/* The device is not writable and refuses with -EAGAIN, until unblocked. */
void fake_block(struct fake *fake);
void fake_unblock(struct fake *fake);

/* ---- what the test waits for ---- */

/* Waits until the counter, one of the fake's, has come to `count`; fails the
 * test at the deadline. */
void fake_wait(struct fake *fake, const uint32_t *counter, uint32_t count);

uint32_t fake_count(struct fake *fake, const uint32_t *counter);

/* That of everything which is waited for from now on, CLOCK_MONOTONIC. */
struct timespec fake_deadline(void);

#endif
