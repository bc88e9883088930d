#include "devices/queue/ledger.h"

#include <errno.h>

void aw_ledger_publish(struct aw_ledger_side *side, const uint64_t *fields,
                       unsigned count)
{
    /* Relaxed: we are the only writer of `version`. */
    uint64_t next =
        atomic_load_explicit(&side->version, memory_order_relaxed) + 1;
    _Atomic uint64_t *copy = side->copies[next & 1];

    /* Each field is a release so that a reader which sees a field of this
     * publication also sees the version before it, and repeats. Partner: the
     * acquire of the same field in aw_ledger_read(). */
    for (unsigned i = 0; i < count; i++)
        atomic_store_explicit(&copy[i], fields[i], memory_order_release);
    /* Release: the copy is complete before it is current. Partner: the first
     * load of `version` in aw_ledger_read(). */
    atomic_store_explicit(&side->version, next, memory_order_release);
}

int aw_ledger_read(const struct aw_ledger_side *side,
                   uint64_t ret_fields[AW_LEDGER_FIELDS])
{
    uint64_t fields[AW_LEDGER_FIELDS];

    for (int attempt = 0; attempt < 1000; attempt++) {
        /* Acquire: see the partner above. */
        uint64_t version =
            atomic_load_explicit(&side->version, memory_order_acquire);
        const _Atomic uint64_t *copy = side->copies[version & 1];

        /* Acquire: keeps the second load of `version` behind these. */
        for (int i = 0; i < AW_LEDGER_FIELDS; i++)
            fields[i] = atomic_load_explicit(&copy[i], memory_order_acquire);
        /* Relaxed: the acquires before it keep it behind them. A later version
         * means that the writer may have begun to fill this very copy. */
        if (atomic_load_explicit(&side->version, memory_order_relaxed) !=
            version)
            continue;
        for (int i = 0; i < AW_LEDGER_FIELDS; i++)
            ret_fields[i] = fields[i];
        return 0;
    }
    return -EAGAIN;
}
