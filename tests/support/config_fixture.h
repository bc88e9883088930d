/* A folder with a configuration file in it, for tests of config/. */
#ifndef AW_CONFIG_FIXTURE_H
#define AW_CONFIG_FIXTURE_H

#include "config/config.h"

struct fixture {
    char folder[64];
    char path[80];            /* of bench.yaml, not there at first */
    struct aw_config *config; /* freed by fixture_tear_down() */
    struct aw_error error;
};

/* A cmocka test with the fixture as its state. */
#define IN_FOLDER(test)                                                        \
    cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)

int fixture_set_up(void **state);
int fixture_tear_down(void **state);

void fixture_write(const struct fixture *fixture, const char *content,
                   size_t length);

/* Writes bench.yaml and loads it, which must succeed. */
struct aw_config *fixture_load(struct fixture *fixture, const char *content);

/* bench.yaml as it is does not load. `expected`: the whole sentence but for the
 * path of the file, which it must start with. */
void fixture_assert_fails(struct fixture *fixture, int code,
                          const char *expected);

/* A bench.yaml of this content does not load: -EINVAL. */
void fixture_assert_refused(void **state, const char *content,
                            const char *expected);

#endif
