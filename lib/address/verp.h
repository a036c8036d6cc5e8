/* address/verp - a reverse-path of its own for each recipient (variable envelope return path): what
 * comes back to it says by its address whom it is about, as Postfix does it. Pure.
 * Callers: smtpsession, sendmail, pickup, qmgr. */
#ifndef ADDRESS_VERP_H
#define ADDRESS_VERP_H

#include "base/arena.h"
#include "base/compiler.h"
#include "base/span.h"

enum { VERP_DELIMITER_COUNT = 2 };

/* Two characters of verp_delimiter_filter; never one that cannot be seen. */
MUST_USE bool verp_delimiters_are_valid(struct span delimiters, struct span filter);

/* list@origin for user@domain: list+user=domain@origin, quoted where it must be. The recipient is
 * the one that the sender named; a part that is missing is left out with its delimiter. What is no
 * address is divided at its last "@". A span with NULL bytes when the arena is full or the result
 * is longer than any address (ADDRESS_MAX_BYTES). */
MUST_USE struct span verp_sender(struct span reverse_path, struct span recipient,
                                 struct span delimiters, struct arena *arena);

#endif
