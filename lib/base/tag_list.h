/* base/tag_list - text records "v=VERSION; tag=value; ...", with which domains say what they want
 * (RFC 8461 section 3.1, RFC 8460 section 3). Pure; results point into the text.
 * Interface: tag_list_find(), tag_list_choose(), tag_list_is_name().
 * Callers: lib/mtasts, lib/tlsrpt. */
#ifndef BASE_TAG_LIST_H
#define BASE_TAG_LIST_H

#include "base/span.h"

/* The value of the one tag that a record of that version ("v=STSv1") must have; of several the
 * first one counts. False: it is no such record, or one with a value that is_value does not take,
 * or with something else that may not stand there; *found is untouched. */
MUST_USE bool tag_list_find(struct span text, struct span version, struct span wanted,
                            bool (*is_value)(struct span value), struct span *found);

/* Of several texts those that begin with the version and a semicolon count, and of these there must
 * be one. NULL when there is not. */
MUST_USE const struct span *tag_list_choose(const struct span *texts, size_t count,
                                            struct span version);

/* A name as tags have it: up to 32 letters, digits, and behind the first "_-.". */
MUST_USE bool tag_list_is_name(struct span name);

#endif
