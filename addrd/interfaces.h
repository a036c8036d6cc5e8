/* addrd/interfaces - which IP addresses are ours: inet_interfaces and proxy_interfaces, for mail to
 * user@[192.0.2.1]. Interface: interfaces_find(). Callers: addrd/main, tests. */
#ifndef ADDRD_INTERFACES_H
#define ADDRD_INTERFACES_H

#include "address/ip.h"
#include "conf/addrd.h"
#include "conf/instance.h"

/* host: what the machine has. Names in the settings are asked of the resolver, so this is for the
 * time before the sandbox. False when memory is out; *unknown is a word that is no address and
 * that no name service knows, or empty. */
MUST_USE bool interfaces_find(const struct conf_addrd *settings, const struct conf_host *host,
                              struct arena *arena, struct ip_address **addresses, size_t *count,
                              struct span *unknown);

#endif
