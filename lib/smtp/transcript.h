/* smtp/transcript - what was said in a session that went wrong, for the postmaster
 * (notify_classes). Pure. Callers: lib/smtpsession, smtp. */
#ifndef SMTP_TRANSCRIPT_H
#define SMTP_TRANSCRIPT_H

#include "base/buffer.h"
#include "base/outcome.h"

/* Classes of trouble; those of notify_classes that a session can have. */
enum smtp_trouble {
    SMTP_TROUBLE_PROTOCOL = 1 << 0, /* commands that make no sense */
    SMTP_TROUBLE_POLICY = 1 << 1,   /* somebody was refused */
    SMTP_TROUBLE_RESOURCE = 1 << 2, /* no room */
    SMTP_TROUBLE_SOFTWARE = 1 << 3, /* our own fault */
    SMTP_TROUBLE_DATA = 1 << 4      /* a table could not be read */
};

/* The classes that the words of notify_classes name; others are passed over. */
MUST_USE unsigned smtp_trouble_from_words(struct span words);
/* What a reply of ours shows; 0: nothing. */
MUST_USE unsigned smtp_trouble_of_reply(uint16_t code, const struct enhanced_status *status,
                                        struct span text);
/* What a reply to us shows: that we said something that the server did not understand. */
MUST_USE unsigned smtp_trouble_of_remote(uint16_t code);

enum { SMTP_TRANSCRIPT_MAX_BYTES = 16384, SMTP_TRANSCRIPT_LINE_BYTES = 512 };

struct smtp_transcript {
    struct buffer text; /* heap */
    unsigned troubles;
    uint32_t line_count; /* those that were left out, too */
    bool is_cut;         /* what came later is left out */
};

void smtp_transcript_init(struct smtp_transcript *transcript);
void smtp_transcript_release(struct smtp_transcript *transcript);
/* One or more lines, with or without CR LF. Each gets a mark: " In:  " for what was heard, " Out: "
 * for what was said. Control characters become '?'. */
void smtp_transcript_add(struct smtp_transcript *transcript, bool was_heard, struct span lines);

#endif
