/* table/clients - lists of clients that have tables in them, beside the names, addresses and
 * networks of address/host_list: being a key is all that counts. The first word that matches
 * decides, none means no. Files and networks of cidr: tables were put in their place when the
 * settings were made (conf/networks). All of it is read into memory when the list is opened: who
 * asks may be in a sandbox that opens nothing. So tables must be in memory anyhow (inline, static,
 * texthash) or have a list of their entries (hash, btree); changes take effect with the next
 * reload. Interface: client_list_open(), client_list_has(). Callers: smtpd. */
#ifndef TABLE_CLIENTS_H
#define TABLE_CLIENTS_H

#include "address/host_list.h"
#include "table/table.h"

struct client_list;

/* NULL with the reason in *error: a word that is none, a table that cannot be read. */
MUST_USE struct client_list *client_list_open(struct span words, struct buffer *error);
/* Could this word be part of a list? Its files are looked for, not read. False with the reason in
 * *error. */
MUST_USE bool client_list_check_word(struct span word, struct buffer *error);
void client_list_close(struct client_list **list);
/* name: the client's, or "unknown". No list (NULL) has nobody. */
MUST_USE bool client_list_has(const struct client_list *list, struct span name,
                              const struct ip_address *address);

#endif
