/* address/scan - find the addresses in a header field's value or in what a table says.
 * RFC 5322 section 3.4: addresses, each perhaps with a display name, comments and a route, in
 * groups or not, separated by commas. What is no address is passed over: nobody is refused for
 * what stands in a header. Pure. Callers: addrd, intake, smtp. */
#ifndef ADDRESS_SCAN_H
#define ADDRESS_SCAN_H

#include "base/arena.h"
#include "base/parse.h"
#include "base/span.h"

enum address_scan_style {
    ADDRESS_SCAN_HEADER, /* words side by side are no address, as in "John Smith" */
    ADDRESS_SCAN_VALUE   /* words side by side are two addresses: "alice bob" */
};

struct address_found {
    size_t begin; /* where the address stands in the text, without its angle brackets */
    size_t end;
    struct span local_part; /* what it means, without quotes, backslashes, spaces and comments */
    struct span domain;     /* likewise; with brackets when a literal; empty when there is none */
    bool has_at;
};

/* The next address at or after *position, which then is behind it. Texts are in the arena.
 * PARSE_NEED_MORE: there is none any more; PARSE_TOO_LONG: the arena is full. */
MUST_USE enum parse_result address_scan_next(struct span text, enum address_scan_style style,
                                             size_t *position, struct arena *arena,
                                             struct address_found *found);

#endif
