#include "devices/spi_port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "devices/chardev.h"
#include "devices/queue/log.h"
#include "devices/spi.h"

/* spidev's buffer, where it does not say how large it is. */
#define MESSAGE_BYTES_DEFAULT 4096u
#define MESSAGE_BYTES_FILE    "/sys/module/spidev/parameters/bufsiz"

/* ---- opening ---- */

static int explain_open(const char *name, const char *path, int code,
                        struct aw_error *error)
{
    switch (code) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return aw_error_set(error, code,
                            "device %s: there is no %s: `ls /dev/spidev*` "
                            "lists those there are; a bus has to be enabled "
                            "in the machine's device tree, with a spidev on "
                            "it",
                            name, path);
    case EACCES:
    case EPERM:
        return aw_error_set(error, code,
                            "device %s: this user may not open %s: `ls -l %s` "
                            "names the group that may (often spi); join it by "
                            "`adduser USER GROUP`, or by "
                            "SupplementaryGroups= of the systemd unit",
                            name, path, path);
    case EBUSY:
        return aw_error_set(error, code,
                            "device %s: %s is in use by another program", name,
                            path);
    default:
        return aw_error_set(error, code, "device %s: cannot open %s: %s", name,
                            path, strerror(code));
    }
}

static void describe_mode(uint32_t mode, char *text, size_t size)
{
    snprintf(text, size, "mode %u%s%s%s%s",
             (unsigned)(mode & (SPI_CPOL | SPI_CPHA)),
             mode & SPI_CS_HIGH ? ", cs_high" : "",
             mode & SPI_NO_CS ? ", no_cs" : "",
             mode & SPI_LSB_FIRST ? ", lsb_first" : "",
             mode & SPI_LOOP ? ", loopback" : "");
}

/* What is no SPI device answers ENOTTY to the first question. */
static int refuse_setting(const char *name, const char *path, int code,
                          const char *setting, struct aw_error *error)
{
    if (code == ENOTTY)
        return aw_error_set(error, code, "device %s: %s is no SPI device", name,
                            path);
    return aw_error_set(error, code,
                        "device %s: the controller of %s refuses %s: %s", name,
                        path, setting, strerror(code));
}

static int set_mode(const struct aw_spi_port *port, const char *name,
                    const struct aw_spi_settings *settings,
                    struct aw_error *error)
{
    uint32_t mode = settings->mode;
    char text[96];
    int result = aw_chardev_ioctl(port->fd, SPI_IOC_WR_MODE32, &mode);

    if (result >= 0)
        return 0;
    describe_mode(settings->mode, text, sizeof(text));
    return refuse_setting(name, settings->path, -result, text, error);
}

static int set_bits(struct aw_spi_port *port, const char *name,
                    const struct aw_spi_settings *settings,
                    struct aw_error *error)
{
    uint8_t bits = settings->bits;
    char text[32];
    int result = aw_chardev_ioctl(port->fd, SPI_IOC_WR_BITS_PER_WORD, &bits);

    port->bits = bits;
    if (result >= 0)
        return 0;
    snprintf(text, sizeof(text), "bits: %u", (unsigned)bits);
    return refuse_setting(name, settings->path, -result, text, error);
}

/* The kernel lowers what is beyond the controller itself; it knows what the
 * board's description allows the chip, but does not insist on it. */
static int set_speed(struct aw_spi_port *port, const char *name,
                     const struct aw_spi_settings *settings,
                     struct aw_error *error)
{
    uint32_t known_hz = 0, speed_hz = settings->speed_hz;
    char text[48];
    int result = aw_chardev_ioctl(port->fd, SPI_IOC_RD_MAX_SPEED_HZ, &known_hz);

    port->speed_hz = speed_hz ? speed_hz : known_hz;
    if (result < 0 || speed_hz == 0)
        return 0;
    if (known_hz > 0 && speed_hz > known_hz)
        aw_log(AW_LOG_WARNING,
               "device %s: speed_hz is %u, more than the %u Hz that this "
               "machine states for %s",
               name, (unsigned)speed_hz, (unsigned)known_hz, settings->path);
    result = aw_chardev_ioctl(port->fd, SPI_IOC_WR_MAX_SPEED_HZ, &speed_hz);
    if (result >= 0)
        return 0;
    snprintf(text, sizeof(text), "speed_hz: %u", (unsigned)speed_hz);
    return refuse_setting(name, settings->path, -result, text, error);
}

static uint32_t find_message_bytes(void)
{
    FILE *file = fopen(MESSAGE_BYTES_FILE, "re");
    unsigned bytes = 0;

    if (!file)
        return MESSAGE_BYTES_DEFAULT;
    if (fscanf(file, "%u", &bytes) != 1 || bytes == 0)
        bytes = MESSAGE_BYTES_DEFAULT;
    fclose(file);
    return bytes;
}

int aw_spi_port_init(struct aw_spi_port *port, const char *name,
                     const struct aw_spi_settings *settings,
                     struct aw_error *error)
{
    int result = aw_chardev_open(settings->path);

    if (result < 0)
        return explain_open(name, settings->path, -result, error);
    *port = (struct aw_spi_port){.fd = result,
                                 .message_bytes = find_message_bytes()};
    result = set_mode(port, name, settings, error);
    if (result == 0)
        result = set_bits(port, name, settings, error);
    if (result == 0)
        result = set_speed(port, name, settings, error);
    if (result < 0)
        aw_spi_port_deinit(port);
    return result;
}

void aw_spi_port_deinit(struct aw_spi_port *port)
{
    close(port->fd);
    port->fd = -1;
}

/* ---- messages ---- */

/* SPI_IOC_MESSAGE(count), which is made for constants. */
static unsigned long message_request(uint32_t count)
{
    return _IOC(_IOC_WRITE, SPI_IOC_MAGIC, 0,
                count * sizeof(struct spi_ioc_transfer));
}

int aw_spi_port_message(const struct aw_spi_port *port,
                        struct spi_ioc_transfer *transfers, uint32_t count)
{
    int result = aw_chardev_ioctl(port->fd, message_request(count), transfers);

    /* spidev's word for a chip that is no longer there. */
    if (result == -ESHUTDOWN || result == -ENXIO)
        return -ENODEV;
    return result < 0 ? result : 0;
}

int aw_spi_port_check(const struct aw_spi_port *port)
{
    uint32_t mode;
    int result = aw_chardev_ioctl(port->fd, SPI_IOC_RD_MODE32, &mode);

    return result == -ESHUTDOWN || result == -ENXIO || result == -ENODEV
               ? -ENODEV
               : 0;
}

/* A frame's bytes while they are cut into segments. */
struct cut {
    const uint8_t *tx;
    uint8_t *rx; /* NULL: nobody wants to know */
    uint32_t left;
};

/* Returns 0 or -EINVAL. */
static int cut_segment(struct cut *cut, const struct aw_spi_segment *segment,
                       struct spi_ioc_transfer *ret_transfer)
{
    if (segment->bytes > cut->left || segment->cs_change > 1)
        return -EINVAL;
    *ret_transfer = (struct spi_ioc_transfer){
        .tx_buf = (uintptr_t)cut->tx,
        .rx_buf = (uintptr_t)cut->rx,
        .len = segment->bytes,
        .speed_hz = segment->speed_hz,
        .delay_usecs = segment->delay_us,
        .bits_per_word = segment->bits,
        .cs_change = segment->cs_change,
    };
    cut->tx += segment->bytes;
    cut->rx = cut->rx ? cut->rx + segment->bytes : NULL;
    cut->left -= segment->bytes;
    return 0;
}

/* Returns how many transfers the frame is, or -EINVAL. */
static int cut_frame(const struct aw_frame *frame, struct cut *cut,
                     struct spi_ioc_transfer transfers[AW_SPI_SEGMENTS_MAX])
{
    struct aw_spi_segment segment = {.bytes = cut->left};
    const uint8_t *heads = frame->payload;

    if (frame->id == 0)
        return cut_segment(cut, &segment, transfers) < 0 ? -EINVAL : 1;
    for (uint32_t i = 0; i < frame->id; i++) {
        memcpy(&segment, heads + i * sizeof(segment), sizeof(segment));
        if (cut_segment(cut, &segment, &transfers[i]) < 0)
            return -EINVAL;
    }
    return cut->left == 0 ? (int)frame->id : -EINVAL;
}

int aw_spi_port_transfer(const struct aw_spi_port *port, struct aw_send *send)
{
    struct spi_ioc_transfer transfers[AW_SPI_SEGMENTS_MAX];
    const void *slot = send->frame;
    const struct aw_frame *frame = slot;
    uint32_t heads = frame->id * (uint32_t)sizeof(struct aw_spi_segment);
    struct cut cut;
    int result;

    if (frame->kind != AW_KIND_BYTES || frame->id > AW_SPI_SEGMENTS_MAX ||
        heads > frame->length)
        return -EINVAL;
    cut = (struct cut){frame->payload + heads, send->reply,
                       frame->length - heads};
    if (cut.left > port->message_bytes)
        return -EMSGSIZE;
    if (send->reply && send->reply_capacity < cut.left)
        return -EINVAL;
    send->reply_bytes = send->reply ? cut.left : 0;
    result = cut_frame(frame, &cut, transfers);
    if (result > 0)
        result = aw_spi_port_message(port, transfers, (uint32_t)result);
    if (result < 0)
        send->reply_bytes = 0;
    return result;
}
