/* smtp/wire - an address as MAIL and RCPT carry it to a server: quoted as the standard asks, and
 * with a domain of A-labels where the server knows no SMTPUTF8 (RFC 6531 section 3.6: what is
 * ASCII then needs no extension).
 * Interface: wire_address(). Pure. Callers: smtp/transaction. */
#ifndef SMTP_WIRE_H
#define SMTP_WIRE_H

#include "base/arena.h"
#include "base/span.h"

struct wire_rules {
    bool has_smtputf8; /* the server */
    bool quotes;       /* smtp_quote_rfc821_envelope */
};

/* False when only SMTPUTF8 could carry it, which the server does not have; *text is the address as
 * it is then. */
MUST_USE bool wire_address(struct span address, const struct wire_rules *rules, struct arena *arena,
                           struct span *text);

#endif
