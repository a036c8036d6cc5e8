/* reportd/document - a day's report as JSON (RFC 8460 section 4.4), compressed, and as a message
 * (section 5.3). Pure. Callers: reportd/deliver, the tests. */
#ifndef REPORTD_DOCUMENT_H
#define REPORTD_DOCUMENT_H

#include "counters.h"

enum {
    DOCUMENT_MAX_BYTES = 32 << 20,
    DOCUMENT_MEDIA_LINE_BYTES = 76 /* RFC 2045 section 6.8 */
};

/* Who writes it, and about which day. */
struct document_head {
    struct span organization;
    struct span contact;   /* an address */
    struct span submitter; /* its domain */
    struct span report_id; /* left@right */
    struct span domain;    /* who is to hear of it */
    uint32_t day;
};

void document_append_json(const struct document_head *head, const struct counted_day *day,
                          struct buffer *out);
/* gzip (RFC 1952). */
void document_append_compressed(struct span text, struct buffer *out);
/* SUBMITTER!DOMAIN!BEGIN!END.json.gz (section 5.1). */
void document_append_file_name(const struct document_head *head, struct buffer *out);

/* The header fields that are the report's own, from TLS-Report-Domain to Content-Type, and the body
 * of the message; compressed is what document_append_compressed() made. */
void document_append_fields(const struct document_head *head, struct span boundary,
                            struct buffer *out);
void document_append_body(const struct document_head *head, struct span boundary,
                          struct span compressed, struct buffer *out);

#endif
