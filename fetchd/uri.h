/* fetchd/uri - an https URI (RFC 3986, RFC 9110 section 4.2.2) taken apart, so that what is
 * connected to is what was looked at. Pure; results point into the text.
 * Callers: fetchd/serve, fetchd/main, the fuzzer. */
#ifndef FETCHD_URI_H
#define FETCHD_URI_H

#include "base/parse.h"
#include "base/span.h"

enum { URI_MAX_BYTES = 2048, URI_HTTPS_PORT = 443 };

struct uri {
    struct span host; /* a name with a dot in it; never an address */
    uint16_t port;
    struct span path; /* with the query, without the fragment; may be empty, which means "/" */
};

/* No user, no password, no address in place of a name; a name without a dot is refused where one is
 * needed, since a stranger's URI must not mean a neighbour of ours. */
MUST_USE enum parse_result uri_parse(struct span text, bool needs_dot, struct uri *uri);

#endif
