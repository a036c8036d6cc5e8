/* table/clients - lists of clients by name and address, as mynetworks and its relatives have them:
 * names and ".domain", addresses, networks, "/file", "type:table", and "!" before each; the first
 * word that matches decides, none means no.
 * All of it is read into memory when the list is opened: who asks may be in a sandbox that opens
 * nothing. So tables must be in memory anyhow (cidr, inline, static, texthash) or
 * have a list of their entries (hash, btree); changes take effect with the next reload. Interface:
 * client_list_open(), client_list_has(). Callers: smtpd. */
#ifndef TABLE_CLIENTS_H
#define TABLE_CLIENTS_H

#include "address/ip.h"
#include "table/table.h"

struct client_list;

/* NULL with the reason in *error: a word that is none, a file or a table that cannot be read. */
MUST_USE struct client_list *client_list_open(struct span words, struct buffer *error);
/* Could this word be part of a list? Its files are looked for, not read. False with the reason in
 * *error. */
MUST_USE bool client_list_check_word(struct span word, struct buffer *error);
void client_list_close(struct client_list **list);
/* name: the client's, or "unknown". */
MUST_USE bool client_list_has(const struct client_list *list, struct span name,
                              const struct ip_address *address);

#endif
