#include "tests/faults/inject.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALLERS     4
#define DEPTH       24
#define SITES_MAX   4096u
#define OWNED_SLOTS 65536u
#define FDS_MAX     1024
#define FAULTS_MAX  4u

/* Offsets in the program, which ends with a 0. */
struct callers {
    uint32_t at[CALLERS + 1];
};

struct site {
    uint32_t hash;
    unsigned calls;
};

struct owned {
    uintptr_t memory; /* 0: free; 1: was used */
    uint32_t size;
    struct callers callers;
};

struct fault {
    uint32_t site;
    unsigned nth; /* of its calls, from 1 */
    int error;
};

static struct {
    pthread_mutex_t mutex;
    uintptr_t start, end; /* of the program: this here is a library */
    int log;
    struct fault faults[FAULTS_MAX];
    size_t fault_count;
    struct site sites[SITES_MAX];
    struct owned owned[OWNED_SLOTS];
    struct callers fds[FDS_MAX];
} state = {.mutex = PTHREAD_MUTEX_INITIALIZER, .log = -1};

/* ---- where ---- */

/* The program comes first. */
static int take_bounds(struct dl_phdr_info *object, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    state.start = object->dlpi_addr;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];

        if (part->p_type == PT_LOAD && (part->p_flags & PF_X))
            state.end = state.start + part->p_vaddr + part->p_memsz;
    }
    return 1;
}

/* The nearest callers in awaitd's own code. */
static struct callers find_callers(void)
{
    void *addresses[DEPTH];
    struct callers callers = {{0}};
    int depth = backtrace(addresses, DEPTH);
    size_t count = 0;

    for (int i = 0; i < depth && count < CALLERS; i++) {
        uintptr_t at = (uintptr_t)addresses[i];

        if (at >= state.start && at < state.end)
            callers.at[count++] = (uint32_t)(at - state.start);
    }
    return callers;
}

static uint32_t hash_of(const char *function, const struct callers *callers)
{
    uint32_t hash = 2166136261u;

    for (; *function; function++)
        hash = (hash ^ (unsigned char)*function) * 16777619u;
    for (size_t i = 0; callers->at[i]; i++)
        hash = (hash ^ callers->at[i]) * 16777619u;
    return hash;
}

static void put_callers(char *text, size_t size, const struct callers *callers)
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; callers->at[i] && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, " %x",
                                   callers->at[i]);
}

/* ---- faults ---- */

/* The site of that hash, found or made: never full, as code is finite. */
static struct site *find_site(uint32_t hash)
{
    uint32_t place = hash % SITES_MAX;

    while (state.sites[place].calls && state.sites[place].hash != hash)
        place = (place + 1) % SITES_MAX;
    state.sites[place].hash = hash;
    return &state.sites[place];
}

static void tell_site(const char *function, uint32_t hash,
                      const struct callers *callers, const int *errors,
                      size_t count)
{
    char text[80];

    put_callers(text, sizeof(text), callers);
    dprintf(state.log, "site %08x %s", hash, function);
    for (size_t i = 0; i < count; i++)
        dprintf(state.log, "%c%d", i > 0 ? ',' : ' ', errors[i]);
    dprintf(state.log, "%s\n", text);
}

/* What this call of the site fails with, or 0. */
static int find_error(uint32_t hash, unsigned calls)
{
    for (size_t i = 0; i < state.fault_count; i++)
        if (state.faults[i].site == hash && state.faults[i].nth == calls)
            return state.faults[i].error;
    return 0;
}

int inject_fault(const char *function, const int *errors, size_t count)
{
    int kept_errno = errno;
    struct callers callers;
    uint32_t hash;
    struct site *site;
    int error;

    if (state.log < 0)
        return 0;
    callers = find_callers();
    hash = hash_of(function, &callers);
    pthread_mutex_lock(&state.mutex);
    site = find_site(hash);
    site->calls++;
    error = find_error(hash, site->calls);
    if (site->calls == 1)
        tell_site(function, hash, &callers, errors, count);
    if (error)
        dprintf(state.log, "fired %08x\n", hash);
    pthread_mutex_unlock(&state.mutex);
    errno = kept_errno;
    return error;
}

/* ---- what is owned ---- */

static struct owned *find_owned(uintptr_t memory, uintptr_t otherwise)
{
    uint32_t place = (uint32_t)(memory >> 4) % OWNED_SLOTS;

    for (uint32_t i = 0; i < OWNED_SLOTS; i++) {
        struct owned *owned = &state.owned[(place + i) % OWNED_SLOTS];

        if (owned->memory == memory || owned->memory == otherwise)
            return owned;
        if (owned->memory == 0)
            return otherwise == 1 ? owned : NULL;
    }
    return NULL;
}

void inject_own_memory(const void *memory, size_t size)
{
    struct callers callers;
    struct owned *owned;

    if (!memory || state.log < 0)
        return;
    callers = find_callers();
    pthread_mutex_lock(&state.mutex);
    owned = find_owned((uintptr_t)memory, 1);
    if (owned)
        *owned = (struct owned){(uintptr_t)memory, (uint32_t)size, callers};
    pthread_mutex_unlock(&state.mutex);
}

void inject_disown_memory(const void *memory)
{
    struct owned *owned;

    if (!memory || state.log < 0)
        return;
    pthread_mutex_lock(&state.mutex);
    owned = find_owned((uintptr_t)memory, (uintptr_t)memory);
    if (owned)
        owned->memory = 1;
    pthread_mutex_unlock(&state.mutex);
}

void inject_own_fd(int fd)
{
    if (fd >= 0 && fd < FDS_MAX && state.log >= 0)
        state.fds[fd] = find_callers();
}

void inject_disown_fd(int fd)
{
    if (fd >= 0 && fd < FDS_MAX)
        state.fds[fd] = (struct callers){{0}};
}

/* ---- begin and end ---- */

/* SITE:NTH:ERRNO, with commas between them. */
static void take_faults(const char *text)
{
    while (text && *text) {
        struct fault *fault = &state.faults[state.fault_count++];
        int length = 0;

        if (state.fault_count > FAULTS_MAX ||
            sscanf(text, "%x:%u:%d%n", &fault->site, &fault->nth, &fault->error,
                   &length) != 3)
            abort();
        text += length + (text[length] == ',');
    }
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("AWAITD_FAULT_LOG");
    void *first[1];

    if (!path)
        return;
    take_faults(getenv("AWAITD_FAULT"));
    dl_iterate_phdr(take_bounds, NULL);
    backtrace(first, 1); /* loads what it needs */
    state.log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (state.log < 0)
        abort();
}

__attribute__((destructor)) static void end(void)
{
    char text[80];

    if (state.log < 0)
        return;
    for (size_t i = 0; i < OWNED_SLOTS; i++)
        if (state.owned[i].memory > 1) {
            put_callers(text, sizeof(text), &state.owned[i].callers);
            dprintf(state.log, "leak %u bytes:%s\n", state.owned[i].size, text);
        }
    for (int fd = 0; fd < FDS_MAX; fd++)
        if (state.fds[fd].at[0]) {
            put_callers(text, sizeof(text), &state.fds[fd]);
            dprintf(state.log, "leak fd:%s\n", text);
        }
    for (size_t i = 0; i < SITES_MAX; i++)
        if (state.sites[i].calls)
            dprintf(state.log, "calls %08x %u\n", state.sites[i].hash,
                    state.sites[i].calls);
    dprintf(state.log, "end\n");
}
