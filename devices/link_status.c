/* The status of a device, as other threads see it. */
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
