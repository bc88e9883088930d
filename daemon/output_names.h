/* Whose lines they are: the scripts' names, and what was dropped of each.
 *
 * Main gives an index a name, which another script may have later; whoever puts
 * a line looks up whose it is, and the writer reads the name when it writes it.
 * So a name stays until the end, and with it its count: when a script of that
 * name comes again, it goes on. */
#ifndef AW_OUTPUT_NAMES_H
#define AW_OUTPUT_NAMES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct aw_output_script {
    /* Written before it is published with release, by main alone, and never
     * again; partner: the acquire of whoever looks it up. */
    struct aw_output_script *next;
    _Atomic(uint64_t) dropped; /* lines; relaxed, a number alone */
    char *name;
};

struct aw_output_places;

struct aw_output_names {
    struct aw_output_script nobody; /* lines of no script */
    /* Main publishes these with release, others load them with acquire. */
    _Atomic(struct aw_output_places *) places; /* by index */
    _Atomic(struct aw_output_script *) all;
};

void aw_output_names_init(struct aw_output_names *names);

/* The script `index` has this name, of which a copy is made. On main, one call
 * at a time. Returns 0 or -ENOMEM. */
int aw_output_names_set(struct aw_output_names *names, size_t index,
                        const char *name);

/* Whose lines those of the script `index` are; of one that has no name: ours.
 * Any thread; good until the deinit, never NULL. */
struct aw_output_script *aw_output_names_find(struct aw_output_names *names,
                                              size_t index);

/* What was dropped of all, and of none. Any thread. */
uint64_t aw_output_names_dropped(struct aw_output_names *names);

/* Nobody else uses them any more. */
void aw_output_names_deinit(struct aw_output_names *names);

#endif
