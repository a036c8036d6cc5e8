/* tlsrpt/record - the TXT record with which a domain asks for TLS reports (RFC 8460 section 3), and
 * the URIs in it.
 * Interface: tlsrpt_record_parse(), tlsrpt_record_choose(), tlsrpt_record_next_uri(),
 * tlsrpt_mailto_parse(). Pure. Callers: reportd, the fuzzer. */
#ifndef TLSRPT_RECORD_H
#define TLSRPT_RECORD_H

#include "base/buffer.h"
#include "base/parse.h"

enum { TLSRPT_URI_MAX_BYTES = 2048 };

/* A whole record, its strings joined. On PARSE_OK *uris is the list of rua. */
MUST_USE enum parse_result tlsrpt_record_parse(struct span text, struct span *uris);

/* The records of _smtp._tls.DOMAIN: those of something else do not count, and of the others there
 * must be one. On PARSE_OK *uris is its list; PARSE_MALFORMED: nobody wants a report. */
MUST_USE enum parse_result tlsrpt_record_choose(const struct span *texts, size_t count,
                                                struct span *uris);

/* The next URI off the list. False when none is left. */
bool tlsrpt_record_next_uri(struct span *uris, struct span *uri);

/* The address of a mailto: URI (RFC 6068), one mailbox; header fields behind it do not count.
 * It lies in the arena. */
MUST_USE enum parse_result tlsrpt_mailto_parse(struct span uri, struct arena *arena,
                                               struct span *address);

#endif
