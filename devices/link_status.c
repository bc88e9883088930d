/* The status of a device, as other threads see it, and its words. */
#include "devices/link_status.h"

#include "devices/reader.h"

void aw_status_publish(struct aw_reader *reader)
{
    uint64_t words[AW_LEDGER_FIELDS];

    if (memcmp(&reader->published, &reader->link.status,
               sizeof(reader->published)) == 0)
        return;
    reader->published = reader->link.status;
    memcpy(words, &reader->published, sizeof(words));
    aw_ledger_publish(&reader->status_side, words, AW_LEDGER_FIELDS);
}

const char *aw_link_state_name(enum aw_link_state state)
{
    static const char *const names[] = {
        [AW_LINK_UP] = "up",         [AW_LINK_DOWN] = "down",
        [AW_LINK_LOST] = "lost",     [AW_LINK_WAITING] = "waiting",
        [AW_LINK_CLOSED] = "closed",
    };
    size_t index = state;

    return index < sizeof(names) / sizeof(names[0]) ? names[index] : "";
}

const char *aw_bus_state_name(enum aw_bus_state state)
{
    static const char *const names[] = {
        [AW_BUS_UNKNOWN] = NULL,        [AW_BUS_ERROR_ACTIVE] = "error-active",
        [AW_BUS_WARNING] = "warning",   [AW_BUS_PASSIVE] = "error-passive",
        [AW_BUS_OFF] = "bus-off",       [AW_BUS_STOPPED] = "stopped",
        [AW_BUS_SLEEPING] = "sleeping",
    };
    size_t index = state;

    return index < sizeof(names) / sizeof(names[0]) ? names[index] : NULL;
}
