/* smtpsession/reception - one message's content on its way from the socket into the queue file.
 * Interface: reception_begin(), reception_read() or reception_read_chunk(), reception_finish().
 * Callers: data.c. For tasks. */
#ifndef SMTPSESSION_RECEPTION_H
#define SMTPSESSION_RECEPTION_H

#include "smtp/content.h"
#include "smtp/data.h"
#include "smtp/header_cut.h"
#include "smtpsession/session_private.h"

struct reception {
    struct smtp_data_decoder decoder;
    struct smtp_content_facts facts;
    struct buffer header; /* Received, then all content until the header has ended */
    struct smtp_header_cut cut;
    size_t received_bytes;
    uint64_t arrival_us;
    int offset_minutes; /* of local time, then */
    struct span zone_name;
    uint64_t stored_body_bytes;
    bool is_body;
    struct outcome outcome; /* the first thing that went wrong; OK before that */
};

/* The transaction has its queue id. */
void reception_begin(struct smtpsession *session, struct reception *reception);
/* Up to CRLF.CRLF; false when the session ends before. */
MUST_USE bool reception_read(struct smtpsession *session, struct reception *reception);
/* So many bytes, whatever they are; false when the session ends before. reception: NULL when they
 * are to be thrown away. */
bool reception_read_chunk(struct smtpsession *session, struct reception *reception, uint64_t size);
/* After the last chunk: a line without an end gets one. */
void reception_end_chunks(struct smtpsession *session, struct reception *reception);
/* What makes SMTP smuggling possible is refused before anything else is looked at. */
void reception_check_line_ends(struct smtpsession *session, struct reception *reception);
/* All content has come: the header block is whole afterwards, unless reception->outcome says what
 * is wrong. */
void reception_finish(struct smtpsession *session, struct reception *reception);

#endif
