#include "tests/support/config_fixture.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int fixture_set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    if (!fixture)
        return -1;
    strcpy(fixture->folder, "/tmp/awaitd-config.XXXXXX");
    if (!mkdtemp(fixture->folder)) {
        free(fixture);
        return -1;
    }
    snprintf(fixture->path, sizeof(fixture->path), "%s/bench.yaml",
             fixture->folder);
    *state = fixture;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type,
                      struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

int fixture_tear_down(void **state)
{
    struct fixture *fixture = *state;

    aw_config_free(fixture->config);
    nftw(fixture->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(fixture);
    return 0;
}

void fixture_write(const struct fixture *fixture, const char *content,
                   size_t length)
{
    FILE *stream = fopen(fixture->path, "we");

    assert_non_null(stream);
    assert_int_equal(fwrite(content, 1, length, stream), length);
    assert_int_equal(fclose(stream), 0);
}

struct aw_config *fixture_load(struct fixture *fixture, const char *content)
{
    fixture_write(fixture, content, strlen(content));
    if (aw_config_load(fixture->path, &fixture->config, &fixture->error) < 0)
        fail_msg("%s", fixture->error.text);
    return fixture->config;
}

void fixture_assert_fails(struct fixture *fixture, int code,
                          const char *expected)
{
    size_t length = strlen(fixture->path);

    assert_int_equal(
        aw_config_load(fixture->path, &fixture->config, &fixture->error),
        -code);
    assert_null(fixture->config);
    assert_memory_equal(fixture->error.text, fixture->path, length);
    assert_string_equal(fixture->error.text + length, expected);
}

void fixture_assert_refused(void **state, const char *content,
                            const char *expected)
{
    struct fixture *fixture = *state;

    fixture_write(fixture, content, strlen(content));
    fixture_assert_fails(fixture, EINVAL, expected);
}
