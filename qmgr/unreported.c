/* qmgr/unreported - see unreported.h. */
#include "unreported.h"

bool unreported_find(struct message *message, enum dsn_kind kind)
{
    uint32_t *from = &message->unreported_from[kind];
    while (*from < message->recipient_count && !message_reports_on(message, *from, kind))
        ++*from;
    return *from < message->recipient_count;
}

void unreported_note(struct message *message, uint32_t index)
{
    for (size_t kind = 0; kind < ARRAY_LENGTH(message->unreported_from); kind++)
        if (index < message->unreported_from[kind])
            message->unreported_from[kind] = index;
}
