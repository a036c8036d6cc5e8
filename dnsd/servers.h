/* dnsd/servers - which resolvers to ask: from the setting dns_servers or from resolv.conf(5).
 * Interface: dns_servers_from_list(), dns_servers_from_resolv_conf(),
 * dns_servers_decide_trust(). Pure.
 * Callers: dnsd's main.c, before the sandbox. */
#ifndef DNSD_SERVERS_H
#define DNSD_SERVERS_H

#include "base/parse.h"
#include "base/span.h"

enum { DNS_SERVERS_MAX = 8, DNS_PORT = 53 };

struct dns_server {
    uint8_t address[16];
    uint8_t address_length; /* 4 or 16 */
    uint16_t port;
};

struct dns_servers {
    struct dns_server list[DNS_SERVERS_MAX];
    size_t count;
    unsigned timeout_ms; /* of the first attempt; each round doubles it */
    unsigned attempts;
    bool is_rotating;
    bool has_trust_option; /* options trust-ad of resolv.conf */
    bool is_trusted;       /* that an answer is authentic, where they say so */
};

/* No server yet. */
struct dns_servers dns_servers_none(unsigned timeout_ms, unsigned attempts);

/* Adds "192.0.2.1, 192.0.2.2:5353 [2001:db8::1]:53 ::1". PARSE_TOO_LONG for too many; on anything
 * but PARSE_OK *problem is the element at fault and *servers untouched. */
MUST_USE enum parse_result dns_servers_from_list(struct span text, struct dns_servers *servers,
                                                 struct span *problem);
/* Its options timeout, attempts and rotate count, too. Lines that are not understood are passed
 * over, as every resolver does; without any server it is the one on this machine (resolv.conf(5)).
 */
void dns_servers_from_resolv_conf(struct span text, struct dns_servers *servers);
/* wish: yes, no or auto. On a network anybody can say that an answer is authentic: of themselves
 * only resolvers on this machine are believed. Which of several gave an answer is not known. */
void dns_servers_decide_trust(struct span wish, struct dns_servers *servers);

#endif
