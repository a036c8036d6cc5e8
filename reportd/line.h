/* reportd/line - what is counted, as a line of the journal: so many sessions of a day that came to
 * the same; that one place needs a day's report for a domain no more; or that none does. Pure.
 * Callers: reportd/counters, reportd/server, the fuzzer. Format: man/reportd.8. */
#ifndef REPORTD_LINE_H
#define REPORTD_LINE_H

#include "base/buffer.h"
#include "base/parse.h"
#include "tlsrpt/result.h"

enum { LINE_NAME_MAX_BYTES = 255, LINE_POLICY_MAX_BYTES = 49152, LINE_DAY_MAX = 1000000 };

enum line_kind {
    LINE_SESSIONS,
    LINE_PLACE, /* day, domain and uri are all */
    LINE_DONE   /* day and domain are all */
};

struct session_line {
    enum line_kind kind;
    uint32_t day; /* since 1970-01-01, UTC */
    struct span domain;
    struct span uri; /* of a place, as the record has it */
    uint64_t count;
    enum tlsrpt_policy_type policy_type;
    struct span policy_domain; /* never empty */
    struct span policy;        /* a string a line, LF between them */
    enum tlsrpt_result result;
    struct span sending_ip;
    struct span receiving_host;
    struct span receiving_helo;
    struct span receiving_ip;
    struct span reason;
};

/* One line with its LF. Control characters become '?', and so does ';' in a policy. */
void session_line_append(const struct session_line *line, struct buffer *out);
/* A line without its LF. The policy is written to policy, which must have room for
 * LINE_POLICY_MAX_BYTES; other texts point into the line. */
MUST_USE enum parse_result session_line_parse(struct span text, struct buffer *policy,
                                              struct session_line *line);

#endif
