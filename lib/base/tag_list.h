/* base/tag_list - text records "v=VERSION; tag=value; ...", with which domains say what they want
 * (RFC 8461 section 3.1, RFC 8460 section 3). Pure; results point into the text.
 * Interface: tag_list_begin(), tag_list_next(), tag_list_is_extension(), tag_list_choose().
 * Callers: lib/mtasts, lib/tlsrpt. */
#ifndef BASE_TAG_LIST_H
#define BASE_TAG_LIST_H

#include "base/span.h"

enum tag_list_step { TAG_LIST_TAG, TAG_LIST_END, TAG_LIST_MALFORMED };

/* Is the text a record of that version ("v=STSv1")? *rest is then what follows it. */
MUST_USE bool tag_list_begin(struct span text, struct span version, struct span *rest);
/* The next tag off *rest. One delimiter may stand at the end; between two there is a tag. */
MUST_USE enum tag_list_step tag_list_next(struct span *rest, struct span *name, struct span *value);

/* A name as tags have it: up to 32 letters, digits, and behind the first "_-.". */
MUST_USE bool tag_list_is_name(struct span name);
/* A tag that nobody knows and that may stand there. */
MUST_USE bool tag_list_is_extension(struct span name, struct span value);

/* Of several texts those that begin with the version and a semicolon count, and of these there must
 * be one. NULL when there is not. */
MUST_USE const struct span *tag_list_choose(const struct span *texts, size_t count,
                                            struct span version);

#endif
