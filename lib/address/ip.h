/* address/ip - IPv4 and IPv6 addresses as values: parse, print, compare, match against networks.
 * Pure. Callers: smtpd (clients, mynetworks), dnsd's clients, smtp, fetchd. */
#ifndef ADDRESS_IP_H
#define ADDRESS_IP_H

#include "base/arena.h"
#include "base/parse.h"
#include "base/span.h"

enum {
    IP_ADDRESS_TEXT_MAX_BYTES = 46, /* with a final NUL */
    IP_NETWORK_LIST_MAX = 65536
};

enum ip_family { IP_FAMILY_NONE = 0, IP_FAMILY_4 = 4, IP_FAMILY_6 = 6 };

struct ip_address {
    enum ip_family family;
    uint8_t bytes[16]; /* network order; the first four for IPv4 */
};

/* Dotted quad or RFC 4291 text, without brackets, zone or prefix length; else false. */
MUST_USE bool ip_address_parse(struct span text, struct ip_address *address);
/* From 4 or 16 bytes in network order. ::ffff:a.b.c.d becomes the IPv4 address that it stands
 * for, so that one rule covers a client however the kernel reports it. */
struct ip_address ip_address_from_bytes(enum ip_family family, const uint8_t *bytes);
/* The usual text (RFC 5952); the result points into text. IP_FAMILY_NONE gives "unknown". */
struct span ip_address_format(const struct ip_address *address,
                              char text[IP_ADDRESS_TEXT_MAX_BYTES]);
MUST_USE bool ip_address_equals(const struct ip_address *left, const struct ip_address *right);
/* Whether it may belong to a host anywhere in the Internet: not to this host, a private or a local
 * network, a group, a documentation. An IPv6 address that stands for an IPv4 address, also by way
 * of a translator or tunnel, is what that one is. */
MUST_USE bool ip_address_is_global(const struct ip_address *address);

struct ip_network {
    struct ip_address base;
    uint8_t prefix_bits;
    bool is_negated;
};

struct ip_network_list {
    struct ip_network *networks; /* in the arena */
    size_t count;
};

/* A list as in mynetworks: words separated by commas or white space, each a.b.c.d,
 * a.b.c.d/bits, [v6] or [v6]/bits, with "!" before it to exclude; host bits must be zero. On
 * PARSE_MALFORMED *bad_word is the word at fault; PARSE_TOO_LONG when the arena is full. */
MUST_USE enum parse_result ip_network_list_parse(struct span text, struct arena *arena,
                                                 struct ip_network_list *list,
                                                 struct span *bad_word);
/* The first network that holds the address decides; none means no. */
MUST_USE bool ip_network_list_has(const struct ip_network_list *list,
                                  const struct ip_address *address);

#endif
