/* dnswire/query - one DNS question and the query message that asks it (RFC 1035, 6891).
 * Interface: dns_query_encode(). Pure; the caller supplies the message id.
 * Callers: dnsd, tests. */
#ifndef DNSWIRE_QUERY_H
#define DNSWIRE_QUERY_H

#include "dnswire/name.h"

/* The types that mail asks for; RFC 1035 section 3.2.2, RFC 3596, 2782, 6891, 6698. */
enum {
    DNS_TYPE_A = 1,
    DNS_TYPE_NS = 2,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_SOA = 6,
    DNS_TYPE_PTR = 12,
    DNS_TYPE_MX = 15,
    DNS_TYPE_TXT = 16,
    DNS_TYPE_AAAA = 28,
    DNS_TYPE_SRV = 33,
    DNS_TYPE_OPT = 41,
    DNS_TYPE_TLSA = 52
};
enum { DNS_CLASS_IN = 1 };

/* Flags of a query. */
enum {
    DNS_QUERY_AUTHENTIC_DATA = 1, /* ask whether the resolver validated (RFC 6840 section 5.7) */
    DNS_QUERY_DNSSEC_OK = 2,      /* ask for the signatures too (RFC 3225) */
    DNS_QUERY_WITHOUT_EDNS = 4    /* for resolvers that answer FORMERR to EDNS */
};

enum {
    DNS_HEADER_BYTES = 12,
    DNS_QUERY_MAX_BYTES = DNS_HEADER_BYTES + DNS_NAME_MAX_BYTES + 4 + 11,
    /* What fits unfragmented through every usual link; longer answers come again over TCP. */
    DNS_EDNS_PAYLOAD_BYTES = 1232
};

struct dns_question {
    struct dns_name name;
    uint16_t type;
};

/* "MX", "AAAA" ...; "TYPE" for one that is not known. A literal. */
MUST_USE const char *dns_type_name(uint16_t type);

/* Appends a recursive query. */
void dns_query_encode(uint16_t id, const struct dns_question *question, unsigned flags,
                      struct buffer *message);

#endif
