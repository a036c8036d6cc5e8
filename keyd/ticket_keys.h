/* keyd/ticket_keys - the keys of session tickets: one for each role, changed now and then, kept
 * nowhere but in memory. With keyd they go; that costs full handshakes.
 * Interface: ticket_keys_init(), ticket_keys_change(), ticket_keys_current(). Caller: keyd/serve.
 */
#ifndef KEYD_TICKET_KEYS_H
#define KEYD_TICKET_KEYS_H

#include "ipc/role.h"
#include "tls/tickets.h"

struct ticket_keys {
    bool has_previous;
    uint8_t current[IPC_ROLE_COUNT][TLS_TICKET_KEY_BYTES];
    uint8_t previous[IPC_ROLE_COUNT][TLS_TICKET_KEY_BYTES];
};

void ticket_keys_init(struct ticket_keys *keys);
/* The present keys are now the previous ones. */
void ticket_keys_change(struct ticket_keys *keys);
struct span ticket_keys_current(const struct ticket_keys *keys, enum ipc_role role);
/* Empty before the first change. */
struct span ticket_keys_previous(const struct ticket_keys *keys, enum ipc_role role);

#endif
