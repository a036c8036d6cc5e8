/* base/outcome - what became of something that a mail user may learn of.
 * An outcome passes unchanged from the place that knows to the SMTP reply, the log line and the
 * delivery status notification. When in doubt a failure is temporary. */
#ifndef BASE_OUTCOME_H
#define BASE_OUTCOME_H

#include "base/buffer.h"

enum outcome_kind { OUTCOME_OK, OUTCOME_TEMPORARY, OUTCOME_PERMANENT };

/* An enhanced status code, RFC 3463. */
struct enhanced_status {
    uint16_t class;
    uint16_t subject;
    uint16_t detail;
};

struct outcome {
    enum outcome_kind kind;
    uint16_t reply_code;           /* SMTP reply code, 0 when none applies */
    struct enhanced_status status; /* class 2, 4 or 5, as kind says */
    struct span reason;            /* text without codes; owned elsewhere */
};

/* The status class follows from kind. */
static inline struct outcome outcome_make(enum outcome_kind kind, uint16_t reply_code,
                                          uint16_t subject, uint16_t detail, struct span reason)
{
    const uint16_t class = kind == OUTCOME_OK ? 2 : kind == OUTCOME_TEMPORARY ? 4 : 5;
    return (struct outcome){kind, reply_code, {class, subject, detail}, reason};
}

static inline struct outcome outcome_ok(void)
{
    return outcome_make(OUTCOME_OK, 250, 0, 0, span_of("Ok", 2));
}

/* For literal reasons: outcome_temporary(451, 4, 3, 0, "...") would repeat the class, so
 * subject and detail only. */
static inline struct outcome outcome_temporary(uint16_t reply_code, uint16_t subject,
                                               uint16_t detail, const char *reason)
{
    return outcome_make(OUTCOME_TEMPORARY, reply_code, subject, detail, span_from_string(reason));
}

static inline struct outcome outcome_permanent(uint16_t reply_code, uint16_t subject,
                                               uint16_t detail, const char *reason)
{
    return outcome_make(OUTCOME_PERMANENT, reply_code, subject, detail, span_from_string(reason));
}

static inline bool outcome_is_ok(const struct outcome *outcome)
{
    return outcome->kind == OUTCOME_OK;
}

/* "d.d.d" at the start of a text: class 2, 4 or 5, subject and detail of one to three digits.
 * Fills *status and *consumed_bytes; false leaves both. */
MUST_USE bool enhanced_status_parse(struct span text, struct enhanced_status *status,
                                    size_t *consumed_bytes);

/* Appends "d.d.d". */
void enhanced_status_put(struct buffer *out, struct enhanced_status status);

/* The next hop of the transports error:, retry: and discard: as an outcome: a text, perhaps with an
 * enhanced status code in front, of which subject and detail count. The reason points into it. */
MUST_USE struct outcome outcome_from_text(enum outcome_kind kind, struct span text);

#endif
