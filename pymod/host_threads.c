#include "pymod/host_threads.h"

#include <stdlib.h>

struct aw_host_thread *aw_host_thread_new(struct aw_host *host, size_t script,
                                          uint64_t generation)
{
    struct aw_host_thread *own = calloc(1, sizeof(*own));
    uint64_t stall_ns;

    if (!own)
        return NULL;
    pthread_mutex_lock(&host->lock);
    stall_ns = script < host->place_count ? host->places[script].stall_ns : 0;
    pthread_mutex_unlock(&host->lock);
    own->host = host;
    own->script = script;
    own->generation = generation;
    own->heartbeat = aw_heartbeat_new(stall_ns);
    if (own->heartbeat)
        return own;
    free(own);
    return NULL;
}

void aw_host_thread_free(struct aw_host_thread *own)
{
    aw_heartbeat_unref(own->heartbeat);
    free(own);
}

static bool is_over(const struct aw_host_thread *own)
{
    /* Acquire: nothing of it is used any more. Partner: script_main(). */
    return atomic_load_explicit(&own->ended, memory_order_acquire);
}

void aw_host_threads_sweep(struct aw_host *host)
{
    struct aw_host_thread *over = NULL, **place = &host->threads;

    pthread_mutex_lock(&host->lock);
    while (*place) {
        struct aw_host_thread *own = *place;

        if (!is_over(own)) {
            place = &own->next;
            continue;
        }
        *place = own->next;
        if (!own->forgotten && own->script < host->place_count)
            aw_heartbeat_add(own->heartbeat, own->generation,
                             &host->places[own->script].ended);
        own->next = over;
        over = own;
    }
    pthread_mutex_unlock(&host->lock);
    while (over) {
        struct aw_host_thread *next = over->next;

        pthread_join(over->thread, NULL);
        aw_host_thread_free(over);
        over = next;
    }
}

void aw_host_threads_add(struct aw_host_thread *own)
{
    struct aw_host *host = own->host;

    pthread_mutex_lock(&host->lock);
    /* Main may have said otherwise since aw_host_thread_new(). */
    if (own->script < host->place_count)
        aw_heartbeat_set_stall(own->heartbeat,
                               host->places[own->script].stall_ns);
    own->next = host->threads;
    host->threads = own;
    pthread_mutex_unlock(&host->lock);
}

void aw_host_threads_discard(struct aw_host *host, size_t script,
                             uint64_t generation)
{
    pthread_mutex_lock(&host->lock);
    for (struct aw_host_thread *own = host->threads; own; own = own->next)
        if (own->script == script && own->generation == generation)
            own->discarded = true;
    pthread_mutex_unlock(&host->lock);
}

void aw_host_threads_join(struct aw_host *host)
{
    while (host->threads) {
        struct aw_host_thread *own = host->threads;

        pthread_join(own->thread, NULL);
        pthread_mutex_lock(&host->lock);
        host->threads = own->next;
        pthread_mutex_unlock(&host->lock);
        aw_host_thread_free(own);
    }
}
