/* The control protocol: what a client may send, in pieces of any size, to the
 * server with its devices and scripts, but without Python.
 *
 * Each request has one answer, whatever is in it; each answer is an object in
 * one line; and nothing of the client is left when it has gone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/control_internal.h"
#include "daemon/reconfigure.h"
#include "devices/device_config.h"
#include "tests/fuzz/fake_host.h"
#include "tests/fuzz/fuzz.h"

#define DEADLINE_S   20.0
#define REQUESTS_MAX 200u
#define SCRIPTS      2u
#define DEVICES      2u

static struct aw_control *control;
static struct aw_supervisor *supervisor;
static struct ev_loop *loop;

static const struct aw_host_script scripts[SCRIPTS] = {
    {.name = "one", .path = "/nowhere/one.py"},
    {.name = "two", .path = "/nowhere/two.py", .keeps_queues = true},
};

static const struct aw_host_config host_config = {.scripts = scripts,
                                                  .script_count = SCRIPTS};

/* ---- the daemon around it ---- */

/* In place of runtime.c's, which has Python behind it. */
struct aw_supervisor *aw_runtime_supervisor(const struct aw_runtime *runtime)
{
    (void)runtime;
    return supervisor;
}

/* In place of reconfigure.c's, which reads files: every second round is
 * refused. Each is over before the call that asks returns. */
static unsigned rounds;

void aw_reconfigure_ask(struct aw_reconfigure *unused,
                        aw_reconfigured_done done, void *context)
{
    static const struct aw_reconfigured_script one = {
        .name = "one", .generation = 2, .text = "unchanged"};
    static char note[] = "device bus is still in use";
    static char *const notes[] = {note};
    const struct aw_reconfigured done_well = {
        .scripts = &one, .script_count = 1, .notes = notes, .note_count = 1};
    const struct aw_reconfigured refused = {
        .result = -EINVAL, .error = "awaitd.yaml:3: unknown key"};

    (void)unused;
    done(context, rounds++ % 2 ? &refused : &done_well);
}

void aw_reconfigure_forget(struct aw_reconfigure *unused, const void *context)
{
    (void)unused;
    (void)context;
}

static struct aw_device *open_device(const char *text)
{
    struct aw_device_config *config;
    struct aw_device *device;

    FUZZ_REQUIRE(aw_device_config_parse(text, &config, NULL) == 0);
    FUZZ_REQUIRE(aw_device_open(config, &device, NULL) == 0);
    aw_device_config_free(config);
    return device;
}

static void start_server(void) AW_ON(main)
{
    static struct aw_device_table devices;
    struct aw_control_config config = {.path = "none", .devices = &devices};
    struct aw_error error;

    FUZZ_REQUIRE(aw_device_table_reserve(&devices, DEVICES) == 0);
    aw_device_table_add(&devices,
                        open_device("bus=virtual:can,receive_own=yes"));
    aw_device_table_add(&devices, open_device("wire=virtual:bytes"));
    loop = ev_loop_new(EVFLAG_AUTO);
    config.loop = loop;
    FUZZ_REQUIRE(aw_log_ring_new(&config.log) == 0);
    FUZZ_REQUIRE(aw_control_new(&config, &control, &error) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    aw_role_assume(&aw_role_main);
    fuzz_begin(false);
    json_object_seed(1);
    start_server();
    return 0;
}

static void ignore_idle(void *context)
{
    (void)context;
}

static void start_scripts(void) AW_ON(main)
{
    static const struct aw_supervision policies[SCRIPTS] = {
        {.restart = AW_RESTART_NO}, {.restart = AW_RESTART_ALWAYS}};
    static const struct aw_supervisor_config config = {.scripts = policies,
                                                       .stop_grace_s = 5,
                                                       .stop_timeout_s = 10,
                                                       .start_timeout_s = 5};

    rounds = 0;
    FUZZ_REQUIRE(aw_supervisor_new(&config, &host_config, loop, ignore_idle,
                                   NULL, &supervisor) == 0);
    aw_supervisor_begin(supervisor, fuzz_host_begin());
}

/* ---- the client ---- */

struct peer {
    int fd;
    size_t answers, wanted;
    struct ev_timer deadline;
    size_t length;
    char text[AW_CONTROL_OUT_MAX];
};

_Noreturn static void on_deadline(struct ev_loop *unused, ev_timer *watcher,
                                  int events)
{
    (void)unused;
    (void)watcher;
    (void)events;
    fuzz_fail(__FILE__, __LINE__, "an answer comes within the deadline");
}

static void check_answer(struct peer *peer, const char *text, size_t length)
{
    json_t *object = json_loadb(text, length, 0, NULL);
    const json_t *ok = json_object_get(object, "ok");

    FUZZ_REQUIRE(json_is_object(object));
    FUZZ_REQUIRE(json_is_boolean(ok) ||
                 json_is_string(json_object_get(object, "event")));
    FUZZ_REQUIRE(!json_is_false(ok) || json_object_get(object, "error"));
    peer->answers += ok != NULL;
    json_decref(object);
}

/* Looks at the answers that are complete. */
static void take_answers(struct peer *peer)
{
    size_t start = 0;

    for (size_t i = 0; i < peer->length; i++) {
        if (peer->text[i] != '\n' && peer->text[i] != '\0')
            continue;
        check_answer(peer, peer->text + start, i - start);
        start = i + 1;
    }
    peer->length -= start;
    memmove(peer->text, peer->text + start, peer->length);
}

static void receive(struct peer *peer)
{
    ssize_t count;

    do {
        count = recv(peer->fd, peer->text + peer->length,
                     sizeof(peer->text) - peer->length, MSG_DONTWAIT);
        if (count > 0)
            peer->length += (size_t)count;
        take_answers(peer);
    } while (count > 0);
}

static void turn(struct peer *peer, int how) AW_ON(main)
{
    ev_run(loop, how);
    fuzz_host_turn(supervisor);
    receive(peer);
}

/* As many as the server will answer. Where an overlong one ends nobody knows,
 * so that is the last. */
static size_t count_requests(const uint8_t *data, size_t size)
{
    size_t count = 0, length = 0, blanks = 0;

    for (size_t i = 0; i < size; i++) {
        bool ends = data[i] == '\n' || data[i] == '\0';

        if (ends)
            count += length > blanks;
        blanks = ends ? 0 : blanks + (strchr(" \t\r", data[i]) != NULL);
        length = ends ? 0 : length + 1;
        if (length == AW_CONTROL_REQUEST_MAX)
            return count + 1;
    }
    return count;
}

static void send_all(struct peer *peer, const uint8_t *data, size_t size,
                     size_t piece) AW_ON(main)
{
    while (size > 0) {
        size_t wanted = piece < size ? piece : size;
        ssize_t sent =
            send(peer->fd, data, wanted, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent > 0) {
            data += sent;
            size -= (size_t)sent;
        } else if (errno != EAGAIN) {
            return; /* hung up, after one that was too long */
        }
        turn(peer, EVRUN_NOWAIT);
    }
}

static void talk(struct peer *peer, const uint8_t *data, size_t size,
                 size_t piece) AW_ON(main)
{
    ev_timer_init(&peer->deadline, on_deadline, DEADLINE_S, 0);
    ev_timer_start(loop, &peer->deadline);
    send_all(peer, data, size, piece);
    while (peer->answers < peer->wanted)
        turn(peer, fuzz_host_waits() ? EVRUN_NOWAIT : EVRUN_ONCE);
    FUZZ_REQUIRE(peer->answers == peer->wanted);
    close(peer->fd);
    while (control->client_count > 0)
        ev_run(loop, EVRUN_ONCE);
    ev_timer_stop(loop, &peer->deadline);
}

/* Rights and the size of pieces, then what the client sends. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct peer peer;
    struct aw_control_client *client;
    int ends[2];

    aw_role_assume(&aw_role_main);
    if (size < 2)
        return 0;
    peer.wanted = count_requests(data + 2, size - 2);
    if (peer.wanted > REQUESTS_MAX)
        return 0;
    peer.answers = peer.length = 0;
    FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    start_scripts();
    client = aw_control_client_new(control, ends[0]);
    FUZZ_REQUIRE(client);
    client->right = data[0] & 1 ? AW_CONTROL_READ : AW_CONTROL_ADMIN;
    peer.fd = ends[1];
    talk(&peer, data + 2, size - 2, 1 + (size_t)data[1] * data[1]);
    FUZZ_REQUIRE(control->dump_count == 0);
    aw_supervisor_free(supervisor);
    FUZZ_REQUIRE(control->asking_count == 0);
    return 0;
}
