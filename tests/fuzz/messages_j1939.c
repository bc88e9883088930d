#include "devices/j1939.c"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/messages.h"

static void *make(struct aw_socket *socket, const struct aw_value *values)
{
    struct j1939 *j1939 = calloc(1, sizeof(*j1939));

    FUZZ_REQUIRE(j1939);
    socket->receive_flags = 0;
    j1939->socket = socket;
    j1939->net.watch.fd = -1;
    read_values(j1939, values);
    return j1939;
}

const struct fuzz_messages fuzz_j1939 = {&aw_j1939_driver, make};
