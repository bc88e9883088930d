#include "daemon/output_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Never changed but for its entries; one that is too small is replaced by a
 * larger one, and stays until the end, for whoever looks at it just now. */
struct aw_output_places {
    struct aw_output_places *before;
    size_t count;
    _Atomic(struct aw_output_script *) scripts[];
};

static char our_name[] = "awaitd";

void aw_output_names_init(struct aw_output_names *names)
{
    names->nobody.name = our_name;
    atomic_init(&names->nobody.dropped, 0);
    atomic_init(&names->places, NULL);
    atomic_init(&names->all, NULL);
}

/* ---- main ---- */

/* The one of this name, new where there is none. NULL without memory. */
static struct aw_output_script *find_name(struct aw_output_names *names,
                                          const char *name)
{
    /* Relaxed: written by this thread. */
    struct aw_output_script *first =
        atomic_load_explicit(&names->all, memory_order_relaxed);
    struct aw_output_script *script = first;

    while (script && strcmp(script->name, name) != 0)
        script = script->next;
    if (script)
        return script;
    script = calloc(1, sizeof(*script));
    if (!script)
        return NULL;
    script->name = strdup(name);
    if (!script->name) {
        free(script);
        return NULL;
    }
    script->next = first;
    /* Release: with aw_output_names_dropped(). */
    atomic_store_explicit(&names->all, script, memory_order_release);
    return script;
}

/* With a place for `index`. NULL without memory. */
static struct aw_output_places *grow(struct aw_output_names *names,
                                     size_t index)
{
    /* Relaxed, here and below: written by this thread. */
    struct aw_output_places *before =
        atomic_load_explicit(&names->places, memory_order_relaxed);
    struct aw_output_places *places;
    size_t count = 8;

    if (before && index < before->count)
        return before;
    while (count <= index)
        count *= 2;
    places = calloc(1, sizeof(*places) + count * sizeof(places->scripts[0]));
    if (!places)
        return NULL;
    places->before = before;
    places->count = count;
    for (size_t i = 0; before && i < before->count; i++)
        atomic_init(
            &places->scripts[i],
            atomic_load_explicit(&before->scripts[i], memory_order_relaxed));
    /* Release: with aw_output_names_find(). */
    atomic_store_explicit(&names->places, places, memory_order_release);
    return places;
}

int aw_output_names_set(struct aw_output_names *names, size_t index,
                        const char *name)
{
    struct aw_output_script *script = find_name(names, name);
    struct aw_output_places *places = script ? grow(names, index) : NULL;

    if (!places)
        return -ENOMEM;
    /* Release: with aw_output_names_find(). */
    atomic_store_explicit(&places->scripts[index], script,
                          memory_order_release);
    return 0;
}

/* ---- all ---- */

struct aw_output_script *aw_output_names_find(struct aw_output_names *names,
                                              size_t index)
{
    /* Acquire, twice: with the two of aw_output_names_set(). */
    struct aw_output_places *places =
        atomic_load_explicit(&names->places, memory_order_acquire);
    struct aw_output_script *script = NULL;

    if (places && index < places->count)
        script =
            atomic_load_explicit(&places->scripts[index], memory_order_acquire);
    return script ? script : &names->nobody;
}

uint64_t aw_output_names_dropped(struct aw_output_names *names)
{
    uint64_t sum =
        atomic_load_explicit(&names->nobody.dropped, memory_order_relaxed);

    /* Acquire: with find_name(). */
    for (struct aw_output_script *script =
             atomic_load_explicit(&names->all, memory_order_acquire);
         script; script = script->next)
        sum += atomic_load_explicit(&script->dropped, memory_order_relaxed);
    return sum;
}

void aw_output_names_deinit(struct aw_output_names *names)
{
    /* Relaxed: there are no others any more. */
    struct aw_output_script *script =
        atomic_load_explicit(&names->all, memory_order_relaxed);
    struct aw_output_places *places =
        atomic_load_explicit(&names->places, memory_order_relaxed);

    while (script) {
        struct aw_output_script *next = script->next;

        free(script->name);
        free(script);
        script = next;
    }
    while (places) {
        struct aw_output_places *before = places->before;

        free(places);
        places = before;
    }
}
