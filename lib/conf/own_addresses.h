/* conf/own_addresses - which IP addresses are ours: inet_interfaces and proxy_interfaces, for mail
 * to user@[192.0.2.1] and for mail that would come back to us. Interface: conf_own_addresses().
 * Callers: addrd, smtp. */
#ifndef CONF_OWN_ADDRESSES_H
#define CONF_OWN_ADDRESSES_H

#include "address/ip.h"
#include "conf/instance.h"

/* host: what the machine has. Names in the settings are asked of the resolver, so this is for the
 * time before the sandbox. False when memory is out; *unknown is a word that is no address and
 * that no name service knows, or empty. */
MUST_USE bool conf_own_addresses(struct span inet_interfaces, struct span proxy_interfaces,
                                 const struct conf_host *host, struct arena *arena,
                                 struct ip_address **addresses, size_t *count,
                                 struct span *unknown);

#endif
