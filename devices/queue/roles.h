/* Thread roles: which thread may call a function, checked twice.
 *
 * Each thread has one role for life. A function that belongs to a role says so
 * with AW_ON(role): clang's -Wthread-safety then refuses a call from a function
 * that does not say the same, and AW_ASSERT_ROLE(role) at the head of its body
 * catches at run time what the compiler cannot see (debug builds).
 *
 * The GIL is no role but a rule: AW_WITH_GIL marks what needs it, AW_NO_GIL
 * what must never take it. Both are words for the reader of a header; what
 * holds them is that no object of a reader or of the main thread uses a symbol
 * of Python's (tests/py/test_layers.py).
 */
#ifndef AW_ROLES_H
#define AW_ROLES_H

#include <assert.h>

#if defined(__clang__)
#define AW_ATTRIBUTE(x) __attribute__((x))
#else
#define AW_ATTRIBUTE(x)
#endif

enum aw_role_name {
    AW_ROLE_NONE, /* a thread that is not ours, a test's for instance */
    AW_ROLE_MAIN,
    AW_ROLE_READER,
    AW_ROLE_BRIDGE,
    AW_ROLE_SCRIPT,
};

/* Never looked into: its address stands for the role at compile time. */
struct AW_ATTRIBUTE(capability("role")) aw_role {
    char unused;
};

extern struct aw_role aw_role_main, aw_role_reader, aw_role_bridge;

#define AW_ON(role) AW_ATTRIBUTE(requires_capability(aw_role_##role))
#define AW_WITH_GIL
#define AW_NO_GIL

/* Takes `name` as the calling thread's role, for life. */
void aw_role_enter(enum aw_role_name name);

/* The calling thread's role. */
enum aw_role_name aw_role_current(void);

/* The entry function of a thread tells the compiler which role it has. */
static inline void aw_role_assume(const struct aw_role *role)
    AW_ATTRIBUTE(assert_capability(role));
static inline void aw_role_assume(const struct aw_role *role)
{
    (void)role;
}

#define AW_ASSERT_ROLE(NAME)                                                   \
    assert(aw_role_current() == AW_ROLE_##NAME ||                              \
           aw_role_current() == AW_ROLE_NONE)

#endif
