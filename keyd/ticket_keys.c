/* keyd/ticket_keys - see ticket_keys.h. */
#include "ticket_keys.h"

#include "system/random.h"

static void make_keys(struct ticket_keys *keys)
{
    for (size_t role = 0; role < IPC_ROLE_COUNT; role++)
        random_bytes(keys->current[role], TLS_TICKET_KEY_BYTES);
}

void ticket_keys_init(struct ticket_keys *keys)
{
    keys->has_previous = false;
    make_keys(keys);
}

void ticket_keys_change(struct ticket_keys *keys)
{
    memcpy(keys->previous, keys->current, sizeof(keys->previous));
    keys->has_previous = true;
    make_keys(keys);
}

struct span ticket_keys_current(const struct ticket_keys *keys, enum ipc_role role)
{
    return span_of(keys->current[role], TLS_TICKET_KEY_BYTES);
}

struct span ticket_keys_previous(const struct ticket_keys *keys, enum ipc_role role)
{
    return keys->has_previous ? span_of(keys->previous[role], TLS_TICKET_KEY_BYTES) : span_empty();
}
