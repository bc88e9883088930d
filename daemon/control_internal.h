/* What the parts of the control server share: its clients, their requests.
 *
 * control.c has the server, control_client.c the bytes of one connection,
 * control_commands.c what can be asked, and one file each what is behind it.
 * Everything runs on main, in callbacks of its loop, and nothing blocks. No
 * part frees a client: it is doomed, and freed where no one holds it. */
#ifndef AW_CONTROL_INTERNAL_H
#define AW_CONTROL_INTERNAL_H

#include <ev.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/control.h"

#define AW_CONTROL_REQUEST_MAX 16384u   /* bytes of one request */
#define AW_CONTROL_ROOM        65536u   /* more unread: no more is produced */
#define AW_CONTROL_OUT_MAX     4194304u /* no answer may be larger */
#define AW_CONTROL_CLIENTS_MAX 200u
#define AW_CONTROL_RESERVED    8u /* of these, for those who may change things */
#define AW_CONTROL_DUMPS_MAX   16u
#define AW_CONTROL_STUCK_S     5.0  /* nothing read for so long: dropped */
#define AW_CONTROL_SILENT_S    60.0 /* no request for so long: dropped */
#define AW_CONTROL_IDLE_S      5.0  /* the same, where all places are taken */

enum aw_control_right {
    AW_CONTROL_NOTHING,
    AW_CONTROL_READ,
    AW_CONTROL_ADMIN,
};

struct aw_control_client;

/* What goes on after the first answer, until the client goes. */
struct aw_control_stream {
    /* There may be something, and there is room: produce. */
    void (*pump)(struct aw_control_client *client);
    void (*end)(struct aw_control_client *client);
};

struct aw_control_client {
    struct aw_control *control;
    struct aw_control_client *next;
    uint64_t number; /* never used again for another */
    int fd;
    int pid, uid; /* the peer's, for messages */
    enum aw_control_right right;
    ev_io reading, writing;
    double moved_s; /* span clock: when a byte last came or went */
    bool hung_up;   /* no more requests: its answers are still sent */
    bool doomed;
    char delimiter; /* of its last request: '\n' or '\0' */
    size_t awaited; /* of its requests, those that others are at work on */
    size_t in_length, out_start, out_length, out_capacity;
    char *out;
    const struct aw_control_stream *stream; /* NULL: none */
    void *stream_data;
    json_t *stream_id;
    char in[AW_CONTROL_REQUEST_MAX];
};

struct aw_control {
    struct aw_control_config config;
    char path[108];
    int listener;
    bool inherited;          /* it is the service manager's, and stays */
    int read_gid, admin_gid; /* -1: none */
    ev_io accepting, logging, sent;
    ev_timer sweep;
    double begun_s;     /* span clock, as the next one */
    double told_full_s; /* when the log was told of it last */
    struct aw_control_client *clients;
    size_t client_count, dump_count;
    uint64_t next_number, dropped_clients;
    struct aw_control_asking *askings; /* requests that scripts work on */
    size_t asking_count;
    struct aw_control_sends *sends;
    struct aw_metrics_http *http;
};

/* One request, during its handler. */
struct aw_control_request {
    struct aw_control *control;
    struct aw_control_client *client;
    json_t *object; /* the whole request */
    json_t *id;     /* borrowed; NULL: none */
};

/* ---- control_client.c ---- */

/* Takes over `fd`. NULL: no memory, and `fd` is closed. */
struct aw_control_client *aw_control_client_new(struct aw_control *control,
                                                int fd) AW_ON(main);
void aw_control_client_free(struct aw_control_client *client) AW_ON(main);

/* Is all answered that it asked, and does it follow nothing? */
bool aw_control_client_is_quiet(const struct aw_control_client *client);

/* Is there room for more of a stream? */
bool aw_control_client_has_room(const struct aw_control_client *client);

/* Queues the object, which is used up, NULL included. What does not fit dooms
 * the client. */
void aw_control_client_put(struct aw_control_client *client, json_t *object);

/* Who is at work on a request comes back with its client's number: that
 * client, which awaits one less, or NULL: it has gone. */
struct aw_control_client *aw_control_awaited(const struct aw_control *control,
                                             uint64_t number);

/* It will be freed soon; says why in the log, unless `reason` is NULL. */
__attribute__((format(printf, 2, 3))) void
aw_control_client_doom(struct aw_control_client *client, const char *reason,
                       ...);

/* Dooms a client that sends no more requests, if it does not listen either. */
void aw_control_client_probe(struct aw_control_client *client);

/* ---- control_commands.c ---- */

/* Answers one request of `length` bytes. */
void aw_control_handle(struct aw_control_client *client, const char *text,
                       size_t length) AW_ON(main);

/* {"id":…, "ok":true, "result":…}; uses `result` up, NULL (no memory)
 * included. */
void aw_control_answer(struct aw_control_client *client, json_t *id,
                       json_t *result);

/* {"id":…, "ok":false, "error":{"code":…, "text":…}} */
__attribute__((format(printf, 4, 5))) void
aw_control_refuse(struct aw_control_client *client, json_t *id,
                  const char *code, const char *format, ...);

/* May the client begin a stream? false, and refused, if it has one. */
bool aw_control_may_follow(struct aw_control_request *request);

/* Begins the stream, with an answer to the request. */
void aw_control_stream_begin(struct aw_control_request *request,
                             const struct aw_control_stream *stream,
                             void *data);

/* Ends the stream that there is: the connection may begin another. */
void aw_control_stream_end(struct aw_control_client *client);

/* {"id":…, "event":NAME, …}; uses `fields` up. */
void aw_control_event(struct aw_control_client *client, const char *name,
                      json_t *fields);

/* The device that the request names, or NULL, and refused. */
struct aw_device *aw_control_device(struct aw_control_request *request)
    AW_ON(main);

/* A text of the request, or NULL; not there, or no text: NULL, and refused. */
const char *aw_control_text(struct aw_control_request *request,
                            const char *key);

/* control_inherit.c: takes the descriptors that were passed (sd_listen_fds(3)),
 * once, and their variables out of the environment; the first unix socket that
 * listens becomes the listener, and the group that may write to it the one that
 * may do everything, unless the configuration names one. False: there is none.
 * Before scripts run. */
bool aw_control_inherit(struct aw_control *control) AW_ON(main);

/* ---- what can be asked: a handler each ---- */

void aw_control_status(struct aw_control_request *request) AW_ON(main);
void aw_control_devices(struct aw_control_request *request) AW_ON(main);
void aw_control_queues(struct aw_control_request *request) AW_ON(main);
void aw_control_metrics(struct aw_control_request *request) AW_ON(main);
void aw_control_log(struct aw_control_request *request) AW_ON(main);
void aw_control_dump(struct aw_control_request *request) AW_ON(main);
void aw_control_send(struct aw_control_request *request) AW_ON(main);

void aw_control_scripts(struct aw_control_request *request) AW_ON(main);
void aw_control_reload(struct aw_control_request *request) AW_ON(main);
void aw_control_restart(struct aw_control_request *request) AW_ON(main);
void aw_control_stop(struct aw_control_request *request) AW_ON(main);

/* control_scripts.c: nobody is answered any more. */
void aw_control_forget_askings(struct aw_control *control) AW_ON(main);

/* control_log.c: hands new lines to the clients that follow the log. */
void aw_control_log_pump(struct aw_control *control);

/* control_send.c: what readers have sent or not is told to those who asked. */
int aw_control_sends_new(struct aw_control *control,
                         struct aw_control_sends **ret_sends);
int aw_control_sends_fd(const struct aw_control_sends *sends);
void aw_control_sends_take(struct aw_control *control);
/* Once no device can send any more. Accepts NULL. */
void aw_control_sends_free(struct aw_control_sends *sends);

/* control_peer.c: what the peer of a connection may do. */
enum aw_control_right aw_control_peer_right(const struct aw_control *control,
                                            int fd, int *ret_pid, int *ret_uid);

#endif
