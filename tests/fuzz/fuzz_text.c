/* What a user writes in one line: devices in their short form, frames to be
 * sent, addresses, what bcm watches. The first byte chooses which. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/frame_text.h"
#include "devices/address.h"
#include "devices/bcm_watch.h"
#include "devices/device_config.h"
#include "devices/driver_load.h"
#include "tests/fuzz/fuzz.h"

int __wrap_aw_driver_load(const char *path, const struct aw_driver **ret_driver,
                          struct aw_error *error);

static struct aw_device *bus, *wire, *net;

static struct aw_device *open_device(const char *text)
{
    struct aw_device_config *config;
    struct aw_device *device;

    FUZZ_REQUIRE(aw_device_config_parse(text, &config, NULL) == 0);
    FUZZ_REQUIRE(aw_device_open(config, &device, NULL) == 0);
    aw_device_config_free(config);
    return device;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_begin(true);
    bus = open_device("bus=virtual:can");
    wire = open_device("wire=virtual:bytes,max_payload=300");
    net = open_device("net=udp:127.0.0.1:0");
    return 0;
}

/* No shared object is loaded that somebody's text names. */
int __wrap_aw_driver_load(const char *path, const struct aw_driver **ret_driver,
                          struct aw_error *error)
{
    (void)ret_driver;
    return aw_error_set(error, ENOENT, "%.80s: not in here", path);
}

/* ---- devices ---- */

static void check_value(const struct aw_option *option,
                        const struct aw_value *value)
{
    struct aw_value again = {0};

    FUZZ_REQUIRE(value->set || !option->required);
    if (!value->set)
        return;
    FUZZ_REQUIRE(value->text);
    FUZZ_REQUIRE(aw_option_parse(option, value->text, &again, NULL) == 0);
    FUZZ_REQUIRE(again.flag == value->flag && again.integer == value->integer &&
                 memcmp(&again.number, &value->number, sizeof(double)) == 0);
    aw_value_deinit(&again);
}

static void check_short_form(const char *text)
{
    struct aw_device_config *config;
    struct aw_error error = {""};

    if (aw_device_config_parse(text, &config, &error) < 0) {
        FUZZ_REQUIRE(error.text[0] != '\0');
        return;
    }
    FUZZ_REQUIRE(aw_device_name_valid(config->name));
    for (size_t i = 0; i < config->driver->option_count; i++)
        check_value(&config->driver->options[i], &config->values[i]);
    for (size_t i = 0; i < AW_COMMON_COUNT; i++)
        check_value(&aw_common_options[i], &config->common[i]);
    aw_device_config_free(config);
}

/* ---- frames ---- */

/* What is made of the frame's own text is the frame. */
static void check_text(const struct aw_device *device,
                       const struct aw_send *send)
{
    const struct aw_frame *frame = (const void *)send->frame;
    char text[AW_FRAME_TEXT_MAX];
    const char *word;
    struct aw_send *again;
    struct aw_error error;

    aw_frame_text(frame, device, text);
    FUZZ_REQUIRE(memchr(text, '\0', sizeof(text)));
    word = strrchr(text, ' ') + 1;
    if (device == net || strstr(word, "..."))
        return;
    FUZZ_REQUIRE(aw_frame_from_text(device, word, NULL, &again, &error) == 0);
    FUZZ_REQUIRE(memcmp(again->frame, send->frame, aw_frame_bytes(frame)) == 0);
    free(again);
}

static void check_frame(const struct aw_device *device, const char *text,
                        const char *to)
{
    struct aw_error error = {""};
    struct aw_send *send;
    int result = aw_frame_from_text(device, text, to, &send, &error);

    if (result < 0) {
        FUZZ_REQUIRE(result == -EINVAL && error.text[0] != '\0');
        return;
    }
    FUZZ_REQUIRE(aw_frame_plausible((const void *)send->frame, AW_PAYLOAD_MAX));
    FUZZ_REQUIRE(send->done == NULL && send->user == NULL);
    check_text(device, send);
    free(send);
}

/* ---- addresses ---- */

static void check_address(const char *text)
{
    struct aw_endpoint endpoint;
    struct sockaddr_storage storage, again;
    struct aw_address address, second;
    struct aw_error error = {""};
    char words[AW_ADDRESS_TEXT];

    if (aw_endpoint_parse(text, &endpoint, &error) < 0) {
        FUZZ_REQUIRE(error.text[0] != '\0');
        return;
    }
    FUZZ_REQUIRE(memchr(endpoint.host, '\0', sizeof(endpoint.host)));
    if (aw_address_parse(endpoint.host, &storage) < 0)
        return;
    aw_address_import((const struct sockaddr *)&storage, &address);
    aw_address_format((const struct sockaddr *)&storage, words);
    FUZZ_REQUIRE(aw_endpoint_parse(words, &endpoint, &error) == 0);
    FUZZ_REQUIRE(aw_address_parse(endpoint.host, &again) > 0);
    aw_address_import((const struct sockaddr *)&again, &second);
    FUZZ_REQUIRE(memcmp(&address, &second, sizeof(address)) == 0);
}

/* ---- bcm ---- */

static void check_watches(const char *text)
{
    static struct aw_bcm_watch watches[AW_BCM_WATCHES_MAX];
    struct aw_error error = {""};
    int count = aw_bcm_watches_parse(text, watches, &error);

    if (count < 0) {
        FUZZ_REQUIRE(count == -EINVAL && error.text[0] != '\0');
        return;
    }
    FUZZ_REQUIRE(count > 0 && count <= (int)AW_BCM_WATCHES_MAX);
    for (int i = 0; i < count; i++) {
        union aw_bcm_message message;

        FUZZ_REQUIRE(aw_bcm_watch_export(&watches[i], &message) <=
                     sizeof(message));
        FUZZ_REQUIRE(message.head.nframes <= 1);
    }
}

static void check(unsigned which, const char *text, const char *to)
{
    switch (which % 6) {
    case 0:
        check_short_form(text);
        break;
    case 1:
        check_frame(bus, text, NULL);
        break;
    case 2:
        check_frame(wire, text, NULL);
        break;
    case 3:
        check_frame(net, text, to);
        break;
    case 4:
        check_address(text);
        break;
    default:
        check_watches(text);
    }
}

/* Which of them, then a text and, behind a NUL, another one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;
    size_t length;

    if (size == 0)
        return 0;
    text = calloc(1, size + 1);
    FUZZ_REQUIRE(text);
    memcpy(text, data + 1, size - 1);
    length = strlen(text);
    check(data[0], text, length + 1 < size ? text + length + 1 : NULL);
    free(text);
    return 0;
}
