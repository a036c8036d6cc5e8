/* local/quota - how much may lie in a Maildir, by the file maildirsize of Maildir++.
 * Its first line is the quota ("10000000S,1000C": bytes, messages), every further line a number of
 * bytes and of messages that came or went; the sum is what lies there. Whoever delivers appends a
 * line. A mailbox that has the file has the quota that stands in it, unless a setting says
 * another: then the file is made anew, as it is when it has grown long or says that the mailbox is
 * full and was last counted a while ago.
 * Parsing is pure; the rest is for pool threads of a process that is the mailbox's owner.
 * Callers: local/maildir. */
#ifndef LOCAL_QUOTA_H
#define LOCAL_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum {
    QUOTA_FILE_MAX_BYTES = 5120, /* a longer one is counted anew */
    QUOTA_RECOUNT_AFTER_S = 900,
    QUOTA_FOLDERS_MAX = 10000
};

/* Zero: no limit of that kind. */
struct quota {
    uint64_t size_bytes;
    uint64_t message_count;
};

struct quota_usage {
    int64_t size_bytes;
    int64_t message_count;
};

/* "1000S,10C", either part alone, in any order; other letters are passed over, as Maildir++ asks.
 * False: it is none. */
MUST_USE bool quota_parse(struct span text, struct quota *quota);
/* The text of a maildirsize file. False: it is none, and is to be made anew. A last line without
 * an end is being written and does not count. */
MUST_USE bool quota_parse_file(struct span text, struct quota *quota, struct quota_usage *usage);

/* The Maildir has a quota of its own, or nobody can say. */
MUST_USE bool quota_has_file(int maildir);

enum quota_result {
    QUOTA_NONE,     /* there is no quota, and nothing to note */
    QUOTA_FITS,     /* to be noted when it is there */
    QUOTA_EXCEEDED, /* with this message */
    QUOTA_FAILED    /* errno; cannot tell */
};

/* May a message of that size lie in the Maildir, too? set: the quota by setting, zero: none. */
MUST_USE enum quota_result quota_check(int maildir, const struct quota *set, uint64_t size_bytes);
/* Notes a delivery; nothing where there is no file. A note that cannot be written is made up for
 * at the next count. */
void quota_note(int maildir, uint64_t size_bytes);

#endif
