/* smtpsession/attributes - the arguments of XCLIENT and XFORWARD: what a proxy that is trusted says
 * of the client behind it (Postfix's XCLIENT_README and XFORWARD_README).
 * Interface: session_attributes_parse(). Pure. Callers: xclient.c, the fuzzer. */
#ifndef SMTPSESSION_ATTRIBUTES_H
#define SMTPSESSION_ATTRIBUTES_H

#include "address/ip.h"
#include "base/outcome.h"

enum session_attribute {
    SESSION_ATTRIBUTE_NAME,
    SESSION_ATTRIBUTE_ADDR,
    SESSION_ATTRIBUTE_PORT,
    SESSION_ATTRIBUTE_PROTO,
    SESSION_ATTRIBUTE_HELO,
    SESSION_ATTRIBUTE_LOGIN, /* XCLIENT only, with the next three */
    SESSION_ATTRIBUTE_REVERSE_NAME,
    SESSION_ATTRIBUTE_DESTADDR,
    SESSION_ATTRIBUTE_DESTPORT,
    SESSION_ATTRIBUTE_IDENT, /* XFORWARD only, with the next */
    SESSION_ATTRIBUTE_SOURCE,
    SESSION_ATTRIBUTE_COUNT
};

enum { SESSION_XCLIENT_ATTRIBUTES = 0x1ff, SESSION_XFORWARD_ATTRIBUTES = 0x61f };

struct session_attributes {
    unsigned given; /* 1 << enum session_attribute */
    /* Empty where it is [UNAVAILABLE] or [TEMPUNAVAIL]. */
    struct span name;
    struct span reverse_name;
    struct span helo;
    struct span protocol; /* SMTP or ESMTP, in any case, for XCLIENT */
    struct span login;
    struct span ident;
    struct ip_address address; /* IP_FAMILY_NONE where it is not available */
    struct ip_address server_address;
    uint16_t port; /* 0 likewise */
    uint16_t server_port;
    bool is_source_local;
};

static inline bool session_attributes_has(const struct session_attributes *attributes,
                                          enum session_attribute attribute)
{
    return (attributes->given >> attribute & 1) != 0;
}

/* attribute=value ..., values in xtext; one that is none is taken as it is, since old clients did
 * not encode. allowed: the attributes of the command. On anything but PARSE_OK *refusal is the
 * reply. Texts lie in the arena or in the input; they have no control characters. */
MUST_USE enum parse_result session_attributes_parse(struct span text, unsigned allowed,
                                                    struct arena *arena,
                                                    struct session_attributes *attributes,
                                                    struct outcome *refusal);

#endif
