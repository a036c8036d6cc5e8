/* address/idn - internationalized domain names: from U-labels, as users write them, to A-labels, as
 * DNS has them (RFC 5890 section 2.3.2.1; UTS 46 non-transitional mapping, as RFC 6531
 * section 3.7.1 needs for look-ups). Pure, by libidn2. Callers: smtpd (is that a name?), smtp
 * (DNS). */
#ifndef ADDRESS_IDN_H
#define ADDRESS_IDN_H

#include "base/arena.h"
#include "base/parse.h"
#include "base/span.h"

/* The domain with A-labels in place of U-labels. One that is all ASCII, or an address literal,
 * stays as it is. PARSE_MALFORMED when IDNA has no such name; PARSE_TOO_LONG past the limits of DNS
 * or when the arena is full. */
MUST_USE enum parse_result address_domain_to_ascii(struct span domain, struct arena *arena,
                                                   struct span *ascii);

#endif
