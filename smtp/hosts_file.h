/* smtp/hosts_file - hosts(5): names and addresses that an operator wrote down, for
 * smtp_host_lookup = native.
 * Interface: hosts_file_lookup(). Pure. Callers: smtp/resolve. */
#ifndef SMTP_HOSTS_FILE_H
#define SMTP_HOSTS_FILE_H

#include "address/ip.h"
#include "base/arena.h"

enum { HOSTS_FILE_MAX_BYTES = 1 << 20, HOSTS_FILE_ADDRESSES_MAX = 32 };

/* The addresses of a name, in the order of the file; how many. What cannot be read of the file is
 * passed over. */
MUST_USE size_t hosts_file_lookup(struct span file, struct span name,
                                  struct ip_address addresses[HOSTS_FILE_ADDRESSES_MAX]);

#endif
