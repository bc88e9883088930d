/* Stands before the compiler's <stdatomic.h> where the leaf is built for the
 * explorer: each access to a shared word is a point at which another fiber may
 * run. All fibers share one thread, so the access itself is a plain one; orders
 * weaker than sequential consistency are not explored (ThreadSanitizer, and the
 * arguments beside each access, are for those). */
#ifndef AW_EXPLORE_STDATOMIC_H
#define AW_EXPLORE_STDATOMIC_H

#include_next <stdatomic.h>

void explore_point(const volatile void *object);

/* The type of what an atomic object holds. */
#define EXPLORE_TYPE(object) __typeof__((void)0, *(object))

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_load
#undef atomic_store
#undef atomic_exchange

#define atomic_load_explicit(object, order)                                    \
    ({                                                                         \
        EXPLORE_TYPE(object) loaded_;                                          \
        explore_point(object);                                                 \
        (void)(order);                                                         \
        loaded_ = *(object);                                                   \
        loaded_;                                                               \
    })

#define atomic_store_explicit(object, value, order)                            \
    ({                                                                         \
        EXPLORE_TYPE(object) stored_ = (value);                                \
        explore_point(object);                                                 \
        (void)(order);                                                         \
        *(object) = stored_;                                                   \
    })

#define atomic_exchange_explicit(object, value, order)                         \
    ({                                                                         \
        EXPLORE_TYPE(object) given_ = (value), taken_;                         \
        explore_point(object);                                                 \
        (void)(order);                                                         \
        taken_ = *(object);                                                    \
        *(object) = given_;                                                    \
        taken_;                                                                \
    })

#define atomic_compare_exchange_strong_explicit(object, expected, value,       \
                                                order, failure)                \
    ({                                                                         \
        EXPLORE_TYPE(object) wanted_ = (value), found_;                        \
        _Bool same_;                                                           \
        explore_point(object);                                                 \
        (void)(order);                                                         \
        (void)(failure);                                                       \
        found_ = *(object);                                                    \
        same_ = found_ == *(expected);                                         \
        if (same_)                                                             \
            *(object) = wanted_;                                               \
        else                                                                   \
            *(expected) = found_;                                              \
        same_;                                                                 \
    })

#define atomic_compare_exchange_weak_explicit                                  \
    atomic_compare_exchange_strong_explicit

#define EXPLORE_FETCH(object, operation, value, order)                         \
    ({                                                                         \
        EXPLORE_TYPE(object) before_;                                          \
        explore_point(object);                                                 \
        (void)(order);                                                         \
        before_ = *(object);                                                   \
        *(object) = before_ operation(value);                                  \
        before_;                                                               \
    })

#define atomic_fetch_add_explicit(object, value, order)                        \
    EXPLORE_FETCH(object, +, value, order)
#define atomic_fetch_sub_explicit(object, value, order)                        \
    EXPLORE_FETCH(object, -, value, order)

#define atomic_load(object) atomic_load_explicit(object, memory_order_seq_cst)
#define atomic_store(object, value)                                            \
    atomic_store_explicit(object, value, memory_order_seq_cst)
#define atomic_exchange(object, value)                                         \
    atomic_exchange_explicit(object, value, memory_order_seq_cst)

#endif
