/* address/proxy_header - who is behind a proxy: the header that HAProxy and others send before
 * anything else on a connection (PROXY protocol, versions 1 and 2, revision of 2020/03/05).
 * Interface: proxy_header_parse(). Pure. Callers: lib/smtpsession, the fuzzer. */
#ifndef ADDRESS_PROXY_HEADER_H
#define ADDRESS_PROXY_HEADER_H

#include "address/ip.h"

/* Version 1 has at most 107 bytes; version 2 in theory 65551, of which no proxy uses more than a
 * few hundred. */
enum { PROXY_HEADER_MAX_BYTES = 4096 };

struct proxy_header {
    /* The connection is the proxy's own (a health check), or of a kind that has no addresses: what
     * the socket says holds. */
    bool is_local;
    struct ip_address client;
    struct ip_address server;
    uint16_t client_port;
    uint16_t server_port;
};

/* On PARSE_OK fills *header and *consumed_bytes. PARSE_NEED_MORE: so far it may become one. A
 * version 2 header with a CRC-32C must match it (section 2.2.3); other extensions are passed over.
 */
MUST_USE enum parse_result proxy_header_parse(struct span input, struct proxy_header *header,
                                              size_t *consumed_bytes);

#endif
