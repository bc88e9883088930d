#include "tests/support/fake_device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/queue/clock.h"

/* ---- the driver ---- */

static void fake_moved(struct fake *fake, uint32_t *counter)
{
    ++*counter;
    pthread_cond_broadcast(&fake->moved);
}

static int fake_driver_open(struct aw_link *link, const struct aw_value *values,
                            struct aw_error *error)
{
    struct fake *fake = (struct fake *)(intptr_t)values[0].integer;

    int result;

    pthread_mutex_lock(&fake->lock);
    fake_moved(fake, &fake->opens);
    result = fake->open_result;
    fake->failure = 0;
    fake->payload_limit = link->payload_limit;
    link->payload_bytes = fake->payload_bytes;
    link->status = fake->status;
    pthread_mutex_unlock(&fake->lock);
    if (result < 0)
        return aw_error_set(error, -result, "no such fake");
    link->state = fake;
    link->fd = fake->device_fd;
    link->aux_fd = fake->aux_fd;
    link->kind = AW_KIND_CAN;
    link->start = fake->start;
    link->paced = fake->paced;
    link->kept_frames = fake->kept_frames;
    link->can_send = fake->driver.send != NULL;
    link->can_confirm = fake->can_confirm;
    (void)aw_channels_index(link->channels, "fake0");
    return 0;
}

static void fake_driver_start(struct aw_link *link)
{
    struct fake *fake = link->state;

    pthread_mutex_lock(&fake->lock);
    fake_moved(fake, &fake->starts);
    pthread_mutex_unlock(&fake->lock);
}

static void fake_look_around(struct fake_thread *thread)
{
    pthread_sigmask(SIG_BLOCK, NULL, &thread->blocked);
    pthread_getname_np(pthread_self(), thread->name, sizeof(thread->name));
    pthread_getaffinity_np(pthread_self(), sizeof(thread->cpus), &thread->cpus);
    thread->role = aw_role_current();
}

static void fake_fill(struct fake *fake, struct aw_batch *batch)
{
    const struct fake_unit *unit = &fake->units[fake->tail++];
    struct aw_frame *frame = aw_batch_at(batch, batch->count);

    *frame = (struct aw_frame){
        .timestamp_ns = 1,
        .monotonic_ns =
            unit->age_ns ? aw_clock_monotonic_ns() - unit->age_ns : 1,
        .id = unit->id,
        .lost_before = unit->lost_before,
        .kind = AW_KIND_CAN,
    };
    if (unit->exclude)
        batch->exclude[batch->count] = unit->exclude;
    batch->marks[batch->count] = unit->marks;
    batch->count++;
}

static void fake_silence(int fd)
{
    char rings[256];

    while (recv(fd, rings, sizeof(rings), MSG_DONTWAIT) > 0)
        ;
}

static int fake_driver_read(struct aw_link *link, struct aw_batch *batch)
{
    struct fake *fake = link->state;
    int result = 0;

    pthread_mutex_lock(&fake->lock);
    fake_look_around(&fake->thread);
    while (batch->count < batch->limit && fake->tail != fake->head)
        fake_fill(fake, batch);
    if (fake->tail == fake->head) {
        fake_silence(fake->device_fd);
        batch->ended = fake->ended;
        result = fake->failure;
    }
    fake_moved(fake, &fake->reads);
    pthread_mutex_unlock(&fake->lock);
    return result;
}

static int fake_driver_send(struct aw_link *link, struct aw_send *send)
{
    struct fake *fake = link->state;
    const void *memory = send->frame;
    const struct aw_frame *frame = memory;
    int result = 0;

    pthread_mutex_lock(&fake->lock);
    if (fake->refusals > 0) {
        fake->refusals--;
        result = fake->answer;
    } else {
        fake->sent_id[fake->sent] = frame->id;
        fake_moved(fake, &fake->sent);
    }
    fake_moved(fake, &fake->attempts);
    pthread_mutex_unlock(&fake->lock);
    return result;
}

static uint64_t fake_driver_losses(struct aw_link *link)
{
    struct fake *fake = link->state;
    uint64_t lost;

    pthread_mutex_lock(&fake->lock);
    lost = fake->lost;
    pthread_mutex_unlock(&fake->lock);
    return lost;
}

static void fake_driver_close(struct aw_link *link)
{
    struct fake *fake = link->state;

    pthread_mutex_lock(&fake->lock);
    fake_moved(fake, &fake->closes);
    pthread_mutex_unlock(&fake->lock);
}

static const struct aw_option fake_options[] = {
    {.name = "address", .type = AW_OPTION_INT, .help = "of the fake"},
};

/* ---- its life ---- */

static void fake_configure(struct fake *fake)
{
    fake->driver = (struct aw_driver){
        AW_DRIVER_HEAD,
        .name = "fake",
        .main_option = "address",
        .options = fake_options,
        .option_count = 1,
        .open = fake_driver_open,
        .start = fake_driver_start,
        .read = fake_driver_read,
        .send = fake_driver_send,
        .losses = fake_driver_losses,
        .close = fake_driver_close,
    };
    fake->address.integer = (intptr_t)fake;
    strcpy(fake->config.name, "bench");
    fake->config.driver = &fake->driver;
    fake->aux_fd = -1;
    fake->payload_bytes = AW_PAYLOAD_CAN;
    fake->config.values = &fake->address;
    fake->config.common[AW_COMMON_SEND_TIMEOUT].number = FAKE_DEADLINE_S;
    fake->config.common[AW_COMMON_SEND_DEPTH].integer = 1000;
}

struct fake *fake_new(void)
{
    struct fake *fake = calloc(1, sizeof(*fake));
    pthread_condattr_t monotonic;
    int ends[2];

    assert_non_null(fake);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                     0);
    fake->device_fd = ends[0];
    fake->test_fd = ends[1];
    fake_configure(fake);
    pthread_mutex_init(&fake->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&fake->moved, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return fake;
}

void fake_open(struct fake *fake)
{
    struct aw_error error;

    if (aw_device_open(&fake->config, &fake->device, &error) < 0)
        fail_msg("%s", error.text);
}

void fake_free(struct fake *fake)
{
    aw_device_unref(fake->device);
    close(fake->device_fd);
    close(fake->test_fd);
    pthread_cond_destroy(&fake->moved);
    pthread_mutex_destroy(&fake->lock);
    free(fake);
}

/* ---- cmocka ---- */

int fake_set_up(void **state)
{
    *state = fake_new();
    return 0;
}

int fake_set_up_open(void **state)
{
    *state = fake_new();
    fake_open(*state);
    return 0;
}

int fake_tear_down(void **state)
{
    fake_free(*state);
    return 0;
}

/* ---- what the test makes happen ---- */

struct timespec fake_deadline(void)
{
    struct timespec deadline;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += FAKE_DEADLINE_S;
    return deadline;
}

void fake_ring(struct fake *fake)
{
    assert_int_equal(send(fake->test_fd, "!", 1, MSG_NOSIGNAL), 1);
}

void fake_add(struct fake *fake, uint32_t id, uint32_t lost,
              const char *exclude)
{
    pthread_mutex_lock(&fake->lock);
    assert_true(fake->head < FAKE_UNITS_MAX);
    fake->units[fake->head++] =
        (struct fake_unit){.id = id, .lost_before = lost, .exclude = exclude};
    pthread_mutex_unlock(&fake->lock);
}

void fake_receive(struct fake *fake, uint32_t first, uint32_t count)
{
    pthread_mutex_lock(&fake->lock);
    assert_true(fake->head + count <= FAKE_UNITS_MAX);
    for (uint32_t i = 0; i < count; i++)
        fake->units[fake->head++] = (struct fake_unit){.id = first + i};
    pthread_mutex_unlock(&fake->lock);
    fake_ring(fake);
}

void fake_receive_aged(struct fake *fake, uint32_t count, uint64_t age_ns)
{
    for (uint32_t i = 0; i < count; i++)
        fake_add(fake, i, 0, NULL);
    pthread_mutex_lock(&fake->lock);
    for (uint32_t i = 1; i <= count; i++)
        fake->units[fake->head - i].age_ns = age_ns;
    pthread_mutex_unlock(&fake->lock);
    fake_ring(fake);
}

void fake_receive_after(struct fake *fake, uint32_t id, uint32_t lost)
{
    fake_add(fake, id, lost, NULL);
    fake_ring(fake);
}

void fake_receive_marked(struct fake *fake, uint32_t id, uint8_t marks)
{
    fake_add(fake, id, 0, NULL);
    pthread_mutex_lock(&fake->lock);
    fake->units[fake->head - 1].marks = marks;
    pthread_mutex_unlock(&fake->lock);
    fake_ring(fake);
}

void fake_lose(struct fake *fake, uint64_t lost)
{
    pthread_mutex_lock(&fake->lock);
    fake->lost = lost;
    pthread_mutex_unlock(&fake->lock);
}

void fake_end(struct fake *fake, int failure)
{
    pthread_mutex_lock(&fake->lock);
    fake->ended = failure == 0;
    fake->failure = -failure;
    pthread_mutex_unlock(&fake->lock);
    fake_ring(fake);
}

void fake_missing(struct fake *fake, int result)
{
    pthread_mutex_lock(&fake->lock);
    fake->open_result = result;
    pthread_mutex_unlock(&fake->lock);
}

void fake_refuse(struct fake *fake, int result, uint32_t times)
{
    pthread_mutex_lock(&fake->lock);
    fake->answer = result;
    fake->refusals = times;
    pthread_mutex_unlock(&fake->lock);
}

void fake_block(struct fake *fake)
{
    static const char bytes[4096];

    fake_refuse(fake, -EAGAIN, UINT32_MAX);
    while (send(fake->device_fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
}

void fake_unblock(struct fake *fake)
{
    fake_refuse(fake, 0, 0);
    fake_silence(fake->test_fd);
}

void fake_wait(struct fake *fake, const uint32_t *counter, uint32_t count)
{
    struct timespec deadline = fake_deadline();
    int result = 0;

    pthread_mutex_lock(&fake->lock);
    while (*counter < count && result == 0)
        result = pthread_cond_timedwait(&fake->moved, &fake->lock, &deadline);
    pthread_mutex_unlock(&fake->lock);
    assert_int_equal(result, 0);
}

uint32_t fake_count(struct fake *fake, const uint32_t *counter)
{
    uint32_t count;

    pthread_mutex_lock(&fake->lock);
    count = *counter;
    pthread_mutex_unlock(&fake->lock);
    return count;
}
