/* conf/networks - lists of clients as daemons get them: files and cidr: tables are read by whoever
 * makes the settings, so that a sandboxed process needs none of them.
 * Private to lib/conf. */
#ifndef CONF_NETWORKS_H
#define CONF_NETWORKS_H

#include "conf/defaults.h"

/* Appends the words of value, with these replaced by what they stand for:
 *   /file                    the words in it ("#" begins a comment line)
 *   cidr:/file               the networks in it, whatever stands behind them
 *   permit_inet_interfaces   this machine's addresses, of those in inet_interfaces
 *   permit_mynetworks        $mynetworks
 *   check_address_map        nothing: the table follows it
 * "!" before a file or table excludes what is in it. False with *error, which names the file. */
MUST_USE bool conf_networks_expand(const struct conf_place *place, struct span value,
                                   struct buffer *output, struct conf_error *error);

/* The addresses of the interfaces that inet_interfaces names, as networks. */
void conf_append_interfaces(const struct conf_place *place, struct buffer *output);

#endif
