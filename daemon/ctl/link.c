#include "daemon/ctl/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* No answer of the daemon is as long. */
#define LINE_MAX_BYTES (16u * 1024 * 1024)

#define SYSTEMS_SOCKET "/run/awaitd/control.sock"

/* Returns 0 or a negative errno. */
static int connect_to(int fd, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return 0;
}

static bool is_nobody_there(int result)
{
    return result == -ENOENT || result == -ECONNREFUSED;
}

/* A user's own daemon (daemon/control_socket.c says where that has its socket),
 * or else the system's, which may let groups in. `where` gets the places that
 * were tried. Returns as connect_to(). */
static int connect_to_default(int fd, char *where, size_t size)
{
    const char *folder = geteuid() == 0 ? NULL : getenv("XDG_RUNTIME_DIR");
    int result;

    if (!folder || folder[0] != '/') {
        snprintf(where, size, "%s", SYSTEMS_SOCKET);
        return connect_to(fd, where);
    }
    snprintf(where, size, "%s/awaitd/control.sock", folder);
    result = connect_to(fd, where);
    if (!is_nobody_there(result))
        return result;
    snprintf(where, size, "%s/awaitd/control.sock, %s", folder, SYSTEMS_SOCKET);
    return connect_to(fd, SYSTEMS_SOCKET);
}

static const char *reason_of(int code)
{
    switch (code) {
    case ENOENT:
        return "no awaitd runs there (--socket PATH names another place)";
    case ECONNREFUSED:
        return "the awaitd that was there has ended";
    case EACCES:
        return "permission denied: it is for root and for members of its "
               "group, which is awaitctl for the service";
    default:
        return strerror(code);
    }
}

int aw_ctl_connect(const char *path, struct aw_ctl_link *ret_link)
{
    char where[256] = "";
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = fd < 0 ? -errno : 0;

    if (!path)
        path = getenv("AWAITD_SOCKET");
    if (result == 0)
        result = path ? connect_to(fd, path)
                      : connect_to_default(fd, where, sizeof(where));
    if (result < 0) {
        fprintf(stderr, "awaitctl: %s: %s\n", path ? path : where,
                reason_of(-result));
        if (fd >= 0)
            close(fd);
        return AW_CTL_UNAVAILABLE;
    }
    *ret_link = (struct aw_ctl_link){.fd = fd};
    return AW_CTL_OK;
}

void aw_ctl_close(struct aw_ctl_link *link)
{
    close(link->fd);
    free(link->buffer);
}

/* ---- lines ---- */

static bool make_room(struct aw_ctl_link *link)
{
    char *buffer;
    size_t capacity = link->capacity ? link->capacity * 2 : 65536;

    if (link->start > 0) {
        memmove(link->buffer, link->buffer + link->start, link->length);
        link->start = 0;
    }
    if (link->length < link->capacity)
        return true;
    buffer =
        capacity <= LINE_MAX_BYTES ? realloc(link->buffer, capacity) : NULL;
    if (!buffer)
        return false;
    link->buffer = buffer;
    link->capacity = capacity;
    return true;
}

/* Returns false at the end, or when nothing more can be taken. */
static bool receive_more(struct aw_ctl_link *link)
{
    ssize_t count;

    if (link->start + link->length == link->capacity && !make_room(link))
        return false;
    do
        count = recv(link->fd, link->buffer + link->start + link->length,
                     link->capacity - link->start - link->length, 0);
    while (count < 0 && errno == EINTR);
    if (count <= 0)
        return false;
    link->length += (size_t)count;
    return true;
}

json_t *aw_ctl_receive(struct aw_ctl_link *link)
{
    size_t looked = 0, bytes;
    const char *line, *end = NULL;
    json_t *object;

    while (!end) {
        if (link->length > looked)
            end = memchr(link->buffer + link->start + looked, '\n',
                         link->length - looked);
        looked = link->length;
        if (!end && !receive_more(link)) {
            fputs("awaitctl: the daemon has closed the connection\n", stderr);
            return NULL;
        }
    }
    line = link->buffer + link->start;
    bytes = (size_t)(end - line);
    object = json_loadb(line, bytes, 0, NULL);
    link->start += bytes + 1;
    link->length -= bytes + 1;
    if (!object)
        fputs("awaitctl: the daemon's answer is no JSON\n", stderr);
    return object;
}

/* ---- questions ---- */

/* That it failed shows in the answer, which may be there all the same. */
static void send_all(const struct aw_ctl_link *link, const char *text,
                     size_t length)
{
    while (length > 0) {
        ssize_t count = send(link->fd, text, length, MSG_NOSIGNAL);

        if (count < 0 && errno != EINTR)
            return;
        if (count > 0) {
            text += count;
            length -= (size_t)count;
        }
    }
}

static bool send_request(const struct aw_ctl_link *link, json_t *request)
{
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;

    json_decref(request);
    if (!text) {
        fputs("awaitctl: this cannot be asked: it is no UTF-8\n", stderr);
        return false;
    }
    send_all(link, text, strlen(text));
    send_all(link, "\n", 1);
    free(text);
    return true;
}

static int take_answer(json_t *answer, json_t **ret_result)
{
    const char *text = "its answer is strange";
    json_t *result = json_object_get(answer, "result");

    if (json_is_true(json_object_get(answer, "ok")) && result) {
        *ret_result = json_incref(result);
        return AW_CTL_OK;
    }
    json_unpack(answer, "{s:{s:s}}", "error", "text", &text);
    fprintf(stderr, "awaitctl: %s\n", text);
    return AW_CTL_REFUSED;
}

int aw_ctl_ask(struct aw_ctl_link *link, json_t *request, json_t **ret_result)
{
    json_t *answer;
    int status;

    if (!send_request(link, request))
        return AW_CTL_USAGE;
    answer = aw_ctl_receive(link);
    if (!answer)
        return AW_CTL_UNAVAILABLE;
    status = take_answer(answer, ret_result);
    json_decref(answer);
    return status;
}

int aw_ctl_ask_for(struct aw_ctl_link *link, const char *name,
                   json_t **ret_result)
{
    return aw_ctl_ask(link, json_pack("{s:s}", "command", name), ret_result);
}
