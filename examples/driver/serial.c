/* A loadable driver for awaitd: frames from a serial line.
 *
 *     awaitd run -d line=./serial.so:/dev/ttyUSB0,baud=9600,framing=slip …
 *
 * A frame is a line, or what SLIP makes one. What is read and cannot be
 * understood is counted as lost, before the next frame. What is sent is
 * written whole: the bytes for which the port has no room yet wait in `out`,
 * and an epoll, the device's second descriptor, says when there is room. */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <awaitd/driver.h>

#include "framing.h"

#define LONGEST 4096

enum option { PATH, BAUD, FRAMING, MAX_PAYLOAD };

static const char *const framings[] = {
    [FRAMING_LINE] = "line", [FRAMING_SLIP] = "slip", NULL};

static const struct aw_option options[] = {
    [PATH] = {.name = "path",
              .type = AW_OPTION_PATH,
              .required = true,
              .help = "the serial port, as /dev/ttyUSB0"},
    [BAUD] = {.name = "baud",
              .type = AW_OPTION_INT,
              .fallback = "115200",
              .minimum = 50,
              .maximum = 4000000,
              .help = "bits a second, in both directions"},
    [FRAMING] = {.name = "framing",
                 .type = AW_OPTION_CHOICE,
                 .fallback = "line",
                 .choices = framings,
                 .help = "what ends a frame: a newline, or SLIP's END"},
    [MAX_PAYLOAD] = {.name = "max_payload",
                     .type = AW_OPTION_INT,
                     .fallback = "1024",
                     .minimum = 1,
                     .maximum = LONGEST,
                     .help = "bytes of the longest frame taken whole"},
};

struct serial {
    struct decoder in;
    uint64_t broken; /* frames that could not be understood, */
    uint32_t untold; /* and those of them that no frame has told yet */
    uint32_t max_payload;
    int epoll;
    size_t out_from, out_to; /* of `out`, what is still to be written */
    uint8_t out[ENCODED_BYTES(LONGEST)];
    uint8_t payload[LONGEST];
};

/* ---- open ---- */

/* 8 data bits, no parity, nothing changed on the way, at any rate. */
static int set_up_port(int fd, int64_t baud)
{
    struct termios2 settings;

    if (ioctl(fd, TCGETS2, &settings) < 0)
        return -errno;
    settings.c_iflag = 0;
    settings.c_oflag = 0;
    settings.c_lflag = 0;
    settings.c_cflag = CS8 | CREAD | CLOCAL | BOTHER;
    settings.c_ispeed = settings.c_ospeed = (speed_t)baud;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    if (ioctl(fd, TCSETS2, &settings) < 0)
        return -errno;
    /* Two who read one line would each lose what the other gets. */
    return ioctl(fd, TIOCEXCL) < 0 ? -errno : 0;
}

/* Returns an fd or a negative errno. */
static int open_port(const char *path, int64_t baud)
{
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    int result;

    if (fd < 0)
        return -errno;
    result = set_up_port(fd, baud);
    if (result < 0) {
        close(fd);
        return result;
    }
    return fd;
}

static int explain(const struct aw_link *link, const char *path, int code,
                   struct aw_error *error)
{
    const char *remedy = "";

    if (code == ENOENT)
        remedy = ": is it plugged in? (`ls /dev/serial/by-id`)";
    else if (code == EACCES)
        remedy = ": the group of the file may (`ls -l`), mostly dialout: "
                 "SupplementaryGroups= of the unit, or `adduser $USER dialout`";
    else if (code == EBUSY)
        remedy = ": somebody else has it (`fuser -v` shows whom)";
    else if (code == ENOTTY)
        remedy = ": it is no serial port";
    return aw_error_set(error, code, "device %s: cannot open %.100s: %s%s",
                        link->name, path, strerror(code), remedy);
}

/* What scripts are to know, also before the port is there. */
static void describe(struct aw_link *link, const struct aw_value *values)
{
    link->kind = AW_KIND_BYTES;
    link->payload_bytes = (uint32_t)values[MAX_PAYLOAD].integer;
    link->start = AW_START_OPEN;
    link->can_send = true;
}

static void free_serial(struct serial *serial)
{
    if (serial && serial->epoll >= 0)
        close(serial->epoll);
    free(serial);
}

static struct serial *new_serial(const struct aw_value *values)
{
    struct serial *serial = calloc(1, sizeof(*serial));

    if (!serial)
        return NULL;
    serial->max_payload = (uint32_t)values[MAX_PAYLOAD].integer;
    serial->in = (struct decoder){
        .framing = (enum framing)values[FRAMING].integer,
        .bytes = serial->payload,
        .capacity = serial->max_payload,
    };
    serial->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (serial->epoll < 0) {
        free_serial(serial);
        return NULL;
    }
    return serial;
}

static int open_serial(struct aw_link *link, const struct aw_value *values,
                       struct aw_error *error)
{
    const char *path = values[PATH].text;
    struct serial *serial = new_serial(values);
    int fd;

    if (!serial)
        return aw_error_set(error, ENOMEM, "device %s: no memory, or no epoll",
                            link->name);
    fd = open_port(path, values[BAUD].integer);
    if (fd < 0) {
        free_serial(serial);
        return explain(link, path, -fd, error);
    }
    describe(link, values);
    link->state = serial;
    link->fd = fd;
    link->aux_fd = serial->epoll;
    return 0;
}

/* ---- read ---- */

static void add_frame(struct serial *serial, struct aw_batch *batch)
{
    struct aw_frame *frame = aw_batch_at(batch, batch->count++);

    *frame = (struct aw_frame){
        .timestamp_ns = aw_clock_realtime_ns(),
        .monotonic_ns = aw_clock_monotonic_ns(),
        .lost_before = serial->untold,
        .length = (uint16_t)serial->in.length,
        .flags = serial->in.truncated ? AW_FRAME_TRUNCATED : 0,
        .kind = AW_KIND_BYTES,
    };
    aw_frame_set_stamp(frame, AW_STAMP_OWN);
    memcpy(frame->payload, serial->payload, serial->in.length);
    serial->untold = 0;
}

static void take_byte(struct serial *serial, struct aw_batch *batch,
                      uint8_t byte)
{
    switch (decode(&serial->in, byte)) {
    case DECODED_NOTHING:
        break;
    case DECODED_FRAME:
        add_frame(serial, batch);
        break;
    case DECODED_BROKEN:
        serial->broken++;
        serial->untold++;
        break;
    }
}

/* Never reads more bytes than there is room for frames: what lay in a buffer of
 * ours would not make `fd` readable. */
static int read_serial(struct aw_link *link, struct aw_batch *batch)
{
    struct serial *serial = link->state;
    uint8_t bytes[AW_BATCH_FRAMES];

    while (batch->count < batch->limit) {
        ssize_t got = read(link->fd, bytes, batch->limit - batch->count);

        if (got < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (got == 0)
            return -EIO; /* it was unplugged */
        for (ssize_t i = 0; i < got; i++)
            take_byte(serial, batch, bytes[i]);
    }
    return 0;
}

static uint64_t losses(struct aw_link *link)
{
    const struct serial *serial = link->state;

    return serial->broken;
}

/* ---- send ---- */

static bool has_rest(const struct serial *serial)
{
    return serial->out_from < serial->out_to;
}

/* Writes what the port has room for. Returns 0 or a negative errno. */
static int flush(const struct aw_link *link, struct serial *serial)
{
    while (has_rest(serial)) {
        ssize_t put = write(link->fd, serial->out + serial->out_from,
                            serial->out_to - serial->out_from);

        if (put < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        serial->out_from += (size_t)put;
    }
    return 0;
}

/* The epoll, and so aux_fd, is readable from now on when the port has room. */
static int watch(const struct aw_link *link, const struct serial *serial,
                 bool on)
{
    struct epoll_event event = {.events = EPOLLOUT};

    return epoll_ctl(serial->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
                     link->fd, &event) < 0
               ? -errno
               : 0;
}

static int send_serial(struct aw_link *link, struct aw_send *send)
{
    struct serial *serial = link->state;
    const void *slot = send->frame;
    const struct aw_frame *frame = slot;
    int result;

    if (frame->length > serial->max_payload)
        return -EMSGSIZE;
    if (has_rest(serial))
        return -EAGAIN;
    serial->out_from = 0;
    serial->out_to =
        encode(serial->in.framing, frame->payload, frame->length, serial->out);
    if (serial->out_to == 0)
        return -EINVAL;
    result = flush(link, serial);
    if (result == 0 && has_rest(serial))
        result = watch(link, serial, true);
    return result;
}

static int aux_serial(struct aw_link *link, struct aw_batch *batch)
{
    struct serial *serial = link->state;
    int result = flush(link, serial);

    (void)batch;
    if (result == 0 && !has_rest(serial))
        result = watch(link, serial, false);
    return result;
}

/* ---- close ---- */

/* The rest of the last frame gets a second to leave. */
static void close_serial(struct aw_link *link)
{
    struct serial *serial = link->state;
    struct pollfd port = {.fd = link->fd, .events = POLLOUT};

    for (int i = 0; i < 10 && has_rest(serial); i++) {
        if (poll(&port, 1, 100) < 0 || flush(link, serial) < 0)
            break;
    }
    close(link->fd);
    free_serial(serial);
}

AW_EXPORT const struct aw_driver awaitd_driver = {
    AW_DRIVER_HEAD,
    .name = "serial",
    .main_option = "path",
    .help = "a serial line, its frames lines or SLIP",
    .late_advice = "send more slowly, or raise baud",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .describe = describe,
    .open = open_serial,
    .read = read_serial,
    .aux = aux_serial,
    .send = send_serial,
    .losses = losses,
    .close = close_serial,
};
