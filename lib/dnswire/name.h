/* dnswire/name - domain names: on the wire, as text, and as names of mail hosts.
 * Interface: dns_name_parse(), dns_name_from_text(), dns_name_format(), dns_name_text(),
 * dns_name_from_address(), dns_name_is_mail_host(). Pure.
 * Callers: dnswire/query, dnswire/answer, lib/dns, dnsd. */
#ifndef DNSWIRE_NAME_H
#define DNSWIRE_NAME_H

#include "base/buffer.h"
#include "base/parse.h"

enum {
    DNS_LABEL_MAX_BYTES = 63,      /* RFC 1035 section 2.3.4 */
    DNS_NAME_MAX_BYTES = 255,      /* the same, length bytes and root label included */
    DNS_NAME_TEXT_MAX_BYTES = 1016 /* 254 bytes of labels, each written as \DDD at worst */
};

/* The wire form without compression, root label included, ASCII letters in lower case: names are
 * compared without regard to case (RFC 4343), and one spelling makes one cache entry. */
struct dns_name {
    size_t length; /* at least 1: the root is one zero byte */
    uint8_t bytes[DNS_NAME_MAX_BYTES];
};

/* Reads the name at an offset of a message, following compression pointers (RFC 1035 section
 * 4.1.4), each of which must lead further back than the one before, which bounds the walk. On
 * PARSE_OK *end_offset is where the bytes after the name begin; anything else is
 * PARSE_MALFORMED, a name cut off by the end of the message included. */
MUST_USE enum parse_result dns_name_parse(struct span message, size_t offset, struct dns_name *name,
                                          size_t *end_offset);

/* From text (RFC 1035 section 5.1): labels between dots, "\." and "\065" for awkward bytes, a
 * final dot is allowed, "." is the root. Bytes above 127 are refused: a U-label must have become
 * an A-label before. PARSE_TOO_LONG where a label or the name is. */
MUST_USE enum parse_result dns_name_from_text(struct span text, struct dns_name *name);
/* Without final dot; the root is ".". Returns the length. */
size_t dns_name_format(const struct dns_name *name, uint8_t text[DNS_NAME_TEXT_MAX_BYTES]);
/* The same in the arena; when that is full a span whose bytes are NULL. */
MUST_USE struct span dns_name_text(const struct dns_name *name, struct arena *arena);

MUST_USE bool dns_name_equals(const struct dns_name *left, const struct dns_name *right);

static inline struct span dns_name_span(const struct dns_name *name)
{
    return span_of(name->bytes, name->length);
}

/* The name under in-addr.arpa (4 bytes, RFC 1035 section 3.5) or ip6.arpa (16 bytes, RFC 3596
 * section 2.5) that holds an address's PTR records; false for another length. */
MUST_USE bool dns_name_from_address(struct span address, struct dns_name *name);

/* Whether a name in text form may stand for a host in mail: letters, digits, hyphens inside a
 * label (RFC 1123 section 2.1), and underscores because real ones have them; no empty label,
 * not digits alone (such a name would be read as an address), no final dot. Names from a PTR or
 * MX record are used, and logged, only when this holds. */
MUST_USE bool dns_name_is_mail_host(struct span text);

#endif
