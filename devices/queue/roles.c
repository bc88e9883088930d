#include "devices/queue/roles.h"

struct aw_role aw_role_main, aw_role_reader, aw_role_bridge;

static _Thread_local enum aw_role_name current;

void aw_role_enter(enum aw_role_name name)
{
    assert(current == AW_ROLE_NONE || current == name);
    current = name;
}

enum aw_role_name aw_role_current(void)
{
    return current;
}
