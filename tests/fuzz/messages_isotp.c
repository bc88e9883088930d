#include "devices/isotp.c"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/messages.h"

static void *make(struct aw_socket *socket, const struct aw_value *values)
{
    struct isotp *isotp = calloc(1, sizeof(*isotp));

    FUZZ_REQUIRE(isotp);
    isotp->socket = socket;
    isotp->net.watch.fd = -1;
    isotp->max_payload = (uint32_t)values[MAX_PAYLOAD].integer;
    return isotp;
}

const struct fuzz_messages fuzz_isotp = {&aw_isotp_driver, make};
