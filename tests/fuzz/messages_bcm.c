#include "devices/bcm.c"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/messages.h"

static void *make(struct aw_socket *socket, const struct aw_value *values)
{
    struct bcm *bcm = calloc(1, sizeof(*bcm));
    struct aw_link link = {0};

    FUZZ_REQUIRE(bcm);
    bcm->socket = socket;
    bcm->net.watch.fd = -1;
    fill_link(bcm, &link, values);
    return bcm;
}

const struct fuzz_messages fuzz_bcm = {&aw_bcm_driver, make};
