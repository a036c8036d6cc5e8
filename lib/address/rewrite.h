/* address/rewrite - complete an address and split off its extension, as Postfix does.
 * Pure. Callers: addrd, smtpd, local. */
#ifndef ADDRESS_REWRITE_H
#define ADDRESS_REWRITE_H

#include "address/mailbox.h"

struct address_completion {
    struct span myorigin;
    struct span mydomain;
    bool append_at_myorigin;  /* user -> user@myorigin */
    bool append_dot_mydomain; /* user@host -> user@host.mydomain */
    bool allow_percent_hack;  /* user%domain -> user@domain, where there is no other domain */
};

/* *completed may be the same as *mailbox. A null address stays null. False when the arena is full
 * or the result would not be an address. */
MUST_USE bool address_complete(const struct address_completion *rules,
                               const struct mailbox *mailbox, struct arena *arena,
                               struct mailbox *completed);

/* Splits an unquoted local part at the first byte that is in delimiters (recipient_delimiter, a
 * set). False, with *user the whole and *extension empty, where there is nothing to split: no
 * delimiter, nothing before it, postmaster, mailer-daemon or double-bounce, and, while "-" is a
 * delimiter and has_special_owner_request is set (owner_request_special), owner-x and x-request.
 * An empty extension ("user+") is split. */
bool address_split_extension(struct span local_part, struct span delimiters,
                             bool has_special_owner_request, struct span *user,
                             struct span *extension);

/* The lookup key of an address: the domain in lower case, the local part too when asked. A span
 * with NULL bytes when the arena is full. */
MUST_USE struct span address_fold(const struct mailbox *mailbox, bool fold_local_part,
                                  struct arena *arena);

/* For logs: control characters and, unless it is well-formed UTF-8, bytes above 127 become "?";
 * at most ADDRESS_LOG_MAX_BYTES. Without angle brackets. */
enum { ADDRESS_LOG_MAX_BYTES = 512 };

#endif
