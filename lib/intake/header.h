/* intake/header - what the header of a message gets before it enters the queue: complete addresses
 * and the fields that it lacks, for local clients; fields that nobody else is to see go.
 * Interface: intake_header_append(). Pure: the caller supplies clock and zone.
 * Callers: smtpd, pickup, bounce. Postfix does these things in cleanup(8). */
#ifndef INTAKE_HEADER_H
#define INTAKE_HEADER_H

#include "address/rewrite.h"
#include "smtp/address_field.h"

/* Complete addresses may take so much more room: a header of nothing but short ones, several times
 * its own. */
enum { INTAKE_HEADER_GROWTH_FACTOR = 4, INTAKE_HEADER_GROWTH_BYTES = 65536 };

static inline size_t intake_header_limit(size_t limit_before_bytes)
{
    return limit_before_bytes * INTAKE_HEADER_GROWTH_FACTOR + INTAKE_HEADER_GROWTH_BYTES;
}

/* Named as in main.cf. */
struct intake_header_rules {
    struct address_completion completion; /* of addresses in mail of local clients */
    struct span remote_domain;            /* remote_header_rewrite_domain */
    struct span dropped_fields;           /* message_drop_headers */
    struct span undisclosed_recipients_header;
    struct span server_name;
    bool always_adds_missing; /* always_add_missing_headers */
};

/* Of one message. */
struct intake_header_facts {
    bool is_local; /* the client is in local_header_rewrite_clients, or on this machine */
    struct span queue_id;
    struct span reverse_path;
    struct span full_name; /* of the sender, for From; may be empty */
    int64_t unix_time_s;   /* for Date and Message-ID */
    int offset_minutes;
    struct span zone_name;
    /* Further changes to addresses (canonical maps, masquerading), after completion; NULL: none.
     * Only asked where completion happens, too. May park. */
    smtp_address_replace *replace;
    void *context;
};

/* Appends fields, a block of header fields as they came, to output with all changes, and behind
 * them what was missing. Failures show in the buffer; memory of the arena's cap is one. */
void intake_header_append(const struct intake_header_rules *rules,
                          const struct intake_header_facts *facts, struct span fields,
                          struct arena *arena, struct buffer *output);

/* Nothing of it applies to these fields: they may be used as they are. */
MUST_USE bool intake_header_is_final(const struct intake_header_rules *rules,
                                     const struct intake_header_facts *facts, struct span fields);

#endif
