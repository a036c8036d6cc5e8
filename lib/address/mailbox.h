/* address/mailbox - mail addresses as SMTP writes them (RFC 5321 section 4.1.2, RFC 6531).
 * Interface: mailbox_parse() for local-part "@" domain, path_parse() for what follows MAIL FROM:
 * and RCPT TO:, mailbox_set() to put one together, questions and comparisons. Pure.
 * Callers: smtpd, addrd, smtp, pickup, bounce. */
#ifndef ADDRESS_MAILBOX_H
#define ADDRESS_MAILBOX_H

#include "address/ip.h"
#include "base/arena.h"
#include "base/parse.h"
#include "base/span.h"

/* RFC 5321 section 4.5.3.1; RFC 1035 section 2.3.4 for the label. */
enum {
    ADDRESS_LOCAL_PART_MAX_BYTES = 64,
    ADDRESS_LABEL_MAX_BYTES = 63,
    ADDRESS_DOMAIN_MAX_BYTES = 255,
    ADDRESS_MAILBOX_MAX_BYTES = 254, /* a path has 256 octets, brackets included */
    ADDRESS_LOCAL_PART_LENIENT_MAX_BYTES = 255,
    ADDRESS_MAX_BYTES = 1024 /* any text: every byte of a long local part quoted */
};

/* Deliberate leniencies; none of them means RFC 5321 to the letter. */
enum address_rules {
    ADDRESS_ALLOW_UTF8 = 1 << 0,            /* the SMTPUTF8 parameter was given */
    ADDRESS_ALLOW_NO_DOMAIN = 1 << 1,       /* <user>; completion adds a domain later */
    ADDRESS_ALLOW_LONG_LOCAL_PART = 1 << 2, /* up to 255 octets, and no limit on the whole:
                                             * long return addresses exist */
    ADDRESS_ALLOW_LOOSE_DOTS = 1 << 3,      /* a..b@c, a.@c, a@c. ; the text becomes proper */
    ADDRESS_ALLOW_NO_BRACKETS = 1 << 4,     /* MAIL FROM:user@domain */
    ADDRESS_ALLOW_LEADING_SPACE = 1 << 5    /* MAIL FROM: <user@domain> */
};
enum {
    /* What Postfix takes unless strict_rfc821_envelopes is set. */
    ADDRESS_LENIENT = ADDRESS_ALLOW_NO_DOMAIN | ADDRESS_ALLOW_LONG_LOCAL_PART |
                      ADDRESS_ALLOW_LOOSE_DOTS | ADDRESS_ALLOW_NO_BRACKETS |
                      ADDRESS_ALLOW_LEADING_SPACE
};

/* A null reverse-path is the mailbox whose text is empty. Spans point into the input where it
 * was in proper form already, else into the arena. */
struct mailbox {
    struct span local_part; /* what it means: without quotes and backslashes */
    struct span domain;     /* as written; with brackets when a literal; empty when there is none */
    struct span text;       /* local-part "@" domain, quoted only where it must be */
    bool is_address_literal;
    bool needs_smtputf8;
    bool has_final_dot; /* of the domain as written, which is left out of domain: it is complete */
};

enum path_kind { PATH_REVERSE, PATH_FORWARD };

/* The whole text must be one mailbox. PARSE_TOO_LONG past a limit or when the arena is full. */
MUST_USE enum parse_result mailbox_parse(struct span text, unsigned rules, struct arena *arena,
                                         struct mailbox *mailbox);
/* A path at the start of text, ended by a space or the end; source routes are checked and dropped
 * (RFC 5321 appendix C); "<>" only as a reverse-path. *rest is what follows, without leading
 * spaces. */
MUST_USE enum parse_result path_parse(struct span text, enum path_kind kind, unsigned rules,
                                      struct arena *arena, struct mailbox *mailbox,
                                      struct span *rest);
/* A local part that is written as it is meant: an ASCII dot-string. */
MUST_USE bool mailbox_is_plain(struct span local_part);
/* From parts, the local part unquoted; domain may be empty. False when the arena is full or a part
 * cannot be written in SMTP. Both spans must live as long as the arena. */
MUST_USE bool mailbox_set(struct mailbox *mailbox, struct span local_part, struct span domain,
                          struct arena *arena);

static inline bool mailbox_is_null(const struct mailbox *mailbox)
{
    return mailbox->text.length == 0;
}

/* The address inside [1.2.3.4] or [IPv6:...]; false when the domain is not a literal. */
MUST_USE bool address_literal_parse(struct span domain, struct ip_address *address);
/* RFC 5321 Domain: labels of letters, digits, hyphens (and underscores, which occur), with rules
 * of address_rules for UTF-8. */
MUST_USE enum parse_result address_domain_check(struct span domain, unsigned rules);

/* Domains are equal whatever their case (RFC 5321 section 2.4), and a final dot says nothing. */
MUST_USE bool address_domain_equals(struct span left, struct span right);
/* Local parts are the receiving host's business and compare exactly, but for "postmaster"
 * (RFC 5321 section 4.5.1). */
MUST_USE bool mailbox_equals(const struct mailbox *left, const struct mailbox *right);
/* domain is parent itself or below it. */
MUST_USE bool address_domain_is_within(struct span domain, struct span parent);

#endif
