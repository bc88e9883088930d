#include "devices/driver_load.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/driver.h"

struct loaded {
    const struct aw_driver *driver;
    char *path; /* as realpath() gives it */
};

/* The process's, as what dlopen() has loaded is. Entries are added under the
 * lock and never change. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct loaded loaded[AW_LOADED_MAX];
static size_t loaded_count;

/* What a driver may call is there wherever one can be loaded, whether anything
 * else uses it or not. */
__attribute__((used)) static void (*const shown[])(void) = {
    (void (*)(void))aw_batch_add_event,
    (void (*)(void))aw_channels_index,
    (void (*)(void))aw_error_set,
    (void (*)(void))aw_log,
};

bool aw_driver_is_path(const char *text)
{
    size_t length = strlen(text);

    return strchr(text, '/') ||
           (length > 3 && strcmp(text + length - 3, ".so") == 0);
}

/* ---- what there is ---- */

static const struct loaded *find_path(const char *path)
{
    for (size_t i = 0; i < loaded_count; i++) {
        if (strcmp(loaded[i].path, path) == 0)
            return &loaded[i];
    }
    return NULL;
}

static const struct loaded *find_name(const char *name)
{
    for (size_t i = 0; i < loaded_count; i++) {
        if (strcmp(loaded[i].driver->name, name) == 0)
            return &loaded[i];
    }
    return NULL;
}

const char *aw_driver_path(const struct aw_driver *driver)
{
    const char *path = NULL;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < loaded_count; i++) {
        if (loaded[i].driver == driver)
            path = loaded[i].path;
    }
    pthread_mutex_unlock(&lock);
    return path;
}

const struct aw_driver *aw_driver_at(size_t index)
{
    const struct aw_driver *driver = NULL;
    size_t own = 0;

    while (own < index && aw_drivers[own])
        own++;
    if (aw_drivers[own])
        return aw_drivers[own];
    pthread_mutex_lock(&lock);
    if (index - own < loaded_count)
        driver = loaded[index - own].driver;
    pthread_mutex_unlock(&lock);
    return driver;
}

/* ---- loading ---- */

/* A driver's calls lead back to whatever we are part of. The symbols of a
 * program are there for all; those of an extension, which Python loads for
 * itself alone, have to be shown. Undone by nobody, as the driver stays too. */
static void show_symbols(void)
{
    Dl_info info;

    if (dladdr(&lock, &info) != 0 && info.dli_fname)
        (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
}

/* Is there room for `bytes` at the symbol, and is it data? What a linker that
 * notes no sizes has left is taken on trust. */
static bool holds_table(const void *symbol, size_t bytes)
{
    const ElfW(Sym) *entry = NULL;
    Dl_info info;

    if (dladdr1(symbol, &info, (void **)&entry, RTLD_DL_SYMENT) == 0 || !entry)
        return true;
    if (ELF64_ST_TYPE(entry->st_info) == STT_FUNC)
        return false;
    return entry->st_size == 0 || entry->st_size >= bytes;
}

static int refuse_name(const char *path, const struct aw_driver *driver,
                       struct aw_error *error)
{
    const struct loaded *other = find_name(driver->name);

    if (aw_driver_find(driver->name))
        return aw_error_set(error, EEXIST,
                            "%s: its name \"%.60s\" is that of a driver which "
                            "awaitd has itself; give it another one",
                            path, driver->name);
    if (other)
        return aw_error_set(error, EEXIST,
                            "%s: its name \"%.60s\" is that of the driver in "
                            "%.200s; give one of them another one",
                            path, driver->name, other->path);
    return 0;
}

static int check(const char *path, const struct aw_driver *driver,
                 struct aw_error *error)
{
    struct aw_error reason = {""};

    if (!driver)
        return aw_error_set(error, EINVAL,
                            "%s: is no driver: it does not export the symbol "
                            "\"" AW_DRIVER_SYMBOL "\"",
                            path);
    if (!holds_table(driver, offsetof(struct aw_driver, name)))
        return aw_error_set(error, EINVAL,
                            "%s: is no driver: its symbol \"" AW_DRIVER_SYMBOL
                            "\" is no table",
                            path);
    if (aw_driver_check(driver, &reason) < 0)
        return aw_error_set(error, EINVAL, "%.200s: %.300s", path, reason.text);
    return refuse_name(path, driver, error);
}

/* Under the lock; `path` becomes the registry's on success. */
static int load_new(char *path, const struct aw_driver **ret_driver,
                    struct aw_error *error)
{
    const struct aw_driver *driver;
    void *handle;
    int result;

    if (loaded_count == AW_LOADED_MAX)
        return aw_error_set(error, ENFILE, "%s: more than %u drivers", path,
                            AW_LOADED_MAX);
    show_symbols();
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return aw_error_set(error, ELIBBAD, "cannot load the driver %s",
                            dlerror());
    driver = dlsym(handle, AW_DRIVER_SYMBOL);
    result = check(path, driver, error);
    if (result < 0) {
        dlclose(handle);
        return result;
    }
    loaded[loaded_count++] = (struct loaded){.driver = driver, .path = path};
    *ret_driver = driver;
    return 0;
}

int aw_driver_load(const char *path, const struct aw_driver **ret_driver,
                   struct aw_error *error)
{
    char *real = realpath(path, NULL);
    const struct loaded *known;
    int result = 0;

    if (!real)
        return aw_error_set(error, errno, "cannot load the driver %s: %s", path,
                            strerror(errno));
    pthread_mutex_lock(&lock);
    known = find_path(real);
    if (known)
        *ret_driver = known->driver;
    else
        result = load_new(real, ret_driver, error);
    pthread_mutex_unlock(&lock);
    if (known || result < 0)
        free(real);
    return result;
}
