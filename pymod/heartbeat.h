/* The turns of a script's event loop: is it looking, and how long has it not?
 *
 * The script's thread tells when its loop goes to wait for events and when it
 * comes back with them (heartbeat_object.c has the Python callables for that);
 * what lies between is a turn. Main reads it whenever it likes, without the
 * GIL, and neither waits for the other. A loop that waits for the GIL to come
 * back from its wait has not begun its turn: the script that holds the GIL is
 * the one that is seen. No Python here. */
#ifndef AW_HEARTBEAT_H
#define AW_HEARTBEAT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pymod/host.h"

/* Written by the owner's thread alone, but for `stall_ns`. All words but
 * `references` are read and written with relaxed order, each for itself:
 * nothing else hangs on any of them. */
struct aw_heartbeat {
    atomic_uint references;
    pthread_t owner;
    _Atomic(uint64_t) stall_ns; /* a turn this long is a stall; 0: none is */
    /* Of the present turn, monotonic; 0: it waits. In the future: it waits, and
     * is then to be back. */
    _Atomic(uint64_t) began_ns;
    _Atomic(uint64_t) turns, stalls, longest_ns, busy_ns;
    _Atomic(uint64_t) buckets[AW_TURN_BUCKETS];
};

/* With one reference, the caller's; NULL without memory. */
struct aw_heartbeat *aw_heartbeat_new(uint64_t stall_ns);

/* From now on another length is a stall. Any thread. */
void aw_heartbeat_set_stall(struct aw_heartbeat *heartbeat, uint64_t stall_ns);

/* One more reference, or one less: the last one frees it. Any thread. */
void aw_heartbeat_ref(struct aw_heartbeat *heartbeat);
void aw_heartbeat_unref(struct aw_heartbeat *heartbeat);

/* The calling thread is the one whose loop is meant. Before any other thread
 * knows of the heartbeat. */
void aw_heartbeat_own(struct aw_heartbeat *heartbeat);

/* A turn begins: again if one is under way, which is then counted. No effect
 * on other threads than the owner. Never blocks. */
void aw_heartbeat_awake(struct aw_heartbeat *heartbeat);

/* The turn is over and is counted. No effect on other threads, and where no
 * turn is under way: then false. */
bool aw_heartbeat_asleep(struct aw_heartbeat *heartbeat);

/* For a loop whose waits cannot be seen, called by a timer of it: what it is
 * late by is a turn. Returns in how many seconds it is to be called again; 0:
 * not at all, as no stall is looked for. No effect on other threads, and 0. */
double aw_heartbeat_probe(struct aw_heartbeat *heartbeat);

/* Adds what was counted to `turns`, whose present turn becomes the older one of
 * the two. Any thread; a turn that ends just now may be in some of the numbers
 * and not yet in others. */
void aw_heartbeat_add(const struct aw_heartbeat *heartbeat, uint64_t generation,
                      struct aw_turns *turns);

#endif
