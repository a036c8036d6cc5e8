/* pickup/taking - a dropped file on its way in, as take.c and compose.c share it. */
#ifndef PICKUP_TAKING_H
#define PICKUP_TAKING_H

#include <sys/stat.h>

#include "pickup.h"
#include "queuefile/drop.h"
#include "smtp/content.h"
#include "smtp/header_cut.h"
#include "smtp/line_ends.h"

/* For what addrd is asked. */
enum { TAKING_EXPAND_TIMEOUT_MS = 100 * 1000 };

struct taking {
    struct pickup *pickup;
    struct span queue_id;
    int descriptor;
    struct stat facts;
    struct arena arena;
    struct arena recipient_arena; /* for one at a time */
    struct drop_reader reader;
    struct drop_header drop; /* texts in the arena */
    struct mailbox sender;
    struct intake_message message;
    struct smtp_line_ends line_ends;
    struct smtp_content_facts content;
    struct buffer header; /* fields as they came, but for what one has too much */
    struct smtp_header_cut header_cut;
    bool is_body;
    bool needs_smtputf8;
    bool has_recipient; /* addrd was asked about the first */
    struct span first_recipient;
    bool has_too_many; /* the others are forgotten */
    bool is_cut;       /* the rest of the text is too much */
    uint32_t flags;    /* QUEUE_FLAG_, why it goes back */
    bool rewrites_headers;
    uint64_t body_bytes;
    const char *fault; /* why the file cannot be taken, ever */
    struct outcome outcome;
};

/* The limit of all fields together. */
static inline size_t taking_header_limit(const struct taking *taking)
{
    return taking->pickup->settings->header_size_limit * SMTP_HEADER_FIELDS_FACTOR;
}

/* The header block with its empty line, from the fields that were collected; logs the message. The
 * block is born here, and the caller's to release. On failure the outcome is set, or, where it
 * would be too large, the flag with which the message goes back. */
void compose_header(struct taking *taking, struct buffer *block);
/* All but the recipients. */
void compose_envelope(const struct taking *taking, struct span block,
                      struct queue_envelope *envelope);

#endif
