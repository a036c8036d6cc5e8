/* addr/client - ask addrd about addresses, from a task.
 * What comes back is an answer, always: where addrd is gone, silent or unsure it is a temporary
 * failure. Interface: addr_client_attach(), addr_check_recipient(), addr_expand(),
 * addr_rewrite(), addr_find(), addr_lookup(). Callers: intake, smtpd, smtp. qmgr asks
 * for routes by itself (qmgr/route.c). */
#ifndef ADDR_CLIENT_H
#define ADDR_CLIENT_H

#include "base/outcome.h"
#include "ipc/channel.h"

/* What kind of address it is, by the domain (Postfix's address classes). */
enum addr_class {
    ADDR_CLASS_NONE,            /* not known */
    ADDR_CLASS_LOCAL,           /* mydestination, our address literals */
    ADDR_CLASS_VIRTUAL_ALIAS,   /* virtual_alias_domains */
    ADDR_CLASS_VIRTUAL_MAILBOX, /* virtual_mailbox_domains */
    ADDR_CLASS_RELAY,           /* relay_domains */
    ADDR_CLASS_OTHER            /* somebody else's: only for those who may relay */
};

enum {
    /* How long a question waits for a new addrd when the old one went away. */
    ADDR_CLIENT_PATIENCE_MS = 5000
};

struct addr_ahead;  /* addr/ahead.h */
struct addr_recent; /* addr/recent.h */

struct addr_client {
    struct ipc_channel *channel; /* NULL while there is none */
    struct addr_recent *recent;  /* for addr_check_recipient(); NULL: each question is asked */
};

/* Takes over the descriptor of a channel to addrd, in place of the one before. */
void addr_client_attach(struct addr_client *client, struct loop *loop, int descriptor);

/* Mail to one of these is taken from anybody. */
static inline bool addr_class_is_ours(enum addr_class class)
{
    return class != ADDR_CLASS_NONE && class != ADDR_CLASS_OTHER;
}

enum addr_expand_flags {
    ADDR_EXPAND_FIRST = 1 << 0,        /* of its message: what is said once for all recipients */
    ADDR_EXPAND_COPIES = 1 << 1,       /* always_bcc and its like: mail from outside or a user */
    ADDR_EXPAND_CHECK_SENDER = 1 << 2, /* with a check: does the sender exist, if it is ours? */
    ADDR_EXPAND_NOTHING = 1 << 3       /* no_address_mappings: all addresses stay as they are */
};

/* Whom a recipient stands for. */
struct addr_expansion {
    struct span records;   /* RECORDS of ADDR_EXPANDED; empty: the recipient as it is */
    uint32_t count;        /* of records */
    struct span sender;    /* of the message from now on; empty: as it was */
    bool rewrites_headers; /* addresses in the header may have other names (addr_rewrite) */
};

/* Why nobody gets mail that is for an address of which all is known. */
enum addr_refusal {
    ADDR_REFUSAL_NONE,
    ADDR_REFUSAL_UNKNOWN, /* it is in no table that would have it */
    ADDR_REFUSAL_NOWHERE  /* its transport is error: or retry: */
};

struct addr_check {
    enum addr_class class; /* ADDR_CLASS_NONE where the outcome is temporary for lack of an answer
                            */
    /* OK: exists, as far as is known here. The reason is what follows "<recipient>: " in the
     * reply; the reply code of an unknown recipient is 550, which smtpd replaces by
     * unknown_CLASS_reject_code. */
    struct outcome outcome;
    enum addr_refusal refusal;       /* none with a bad address, or where nobody can tell */
    enum addr_class unknown_class;   /* in which it is unknown: class is OTHER where it is routed */
    struct span recipient;           /* completed */
    struct addr_expansion expansion; /* unless nobody can tell */
    struct outcome sender_outcome;   /* with ADDR_EXPAND_CHECK_SENDER: refused, or cannot tell */
    enum addr_class sender_class;    /* of a sender that is unknown; else NONE */
};

/* From a task. Texts of the result lie in the arena, or are literals. flags: addr_expand_flags.
 * ahead: where the question may stand already; NULL: nowhere. */
void addr_check_recipient(struct addr_client *client, struct addr_ahead *ahead,
                          struct span recipient, struct span sender, unsigned flags,
                          int64_t deadline_ms, struct arena *arena, struct addr_check *check);

/* From a task: the same expansion without a check, for mail that nobody can refuse any more. Not
 * OK: it cannot be told now, and no part of it is to be used. */
MUST_USE struct outcome addr_expand(struct addr_client *client, struct span recipient,
                                    struct span sender, unsigned flags, int64_t deadline_ms,
                                    struct arena *arena, struct addr_expansion *expansion);

/* What an address is, and so how it is rewritten. */
enum addr_rewriting {
    ADDR_REWRITE_ENVELOPE_SENDER, /* completed, canonical, masquerading */
    ADDR_REWRITE_HEADER_SENDER,
    ADDR_REWRITE_HEADER_RECIPIENT,
    ADDR_REWRITE_REMOTE_SENDER, /* completed with remote_header_rewrite_domain */
    ADDR_REWRITE_REMOTE_RECIPIENT,
    ADDR_REWRITE_GENERIC, /* smtp_generic_maps */
    ADDR_REWRITE_LMTP_GENERIC,
    ADDR_REWRITING_COUNT
};

/* From a task: fills rewritten[count], each as it is to be written from now on, in as many requests
 * as it takes. Not OK: it cannot be told now. */
MUST_USE struct outcome addr_rewrite(struct addr_client *client, enum addr_rewriting kind,
                                     const struct span *addresses, size_t count,
                                     int64_t deadline_ms, struct arena *arena,
                                     struct span *rewritten);

/* Tables of which addrd knows no more than where they are. */
enum addr_agent_table {
    ADDR_TABLE_SMTP_TLS_POLICY, /* smtp_tls_policy_maps */
    ADDR_TABLE_LMTP_TLS_POLICY,
    ADDR_TABLE_SMTP_TLS_SITE, /* smtp_tls_per_site */
    ADDR_TABLE_LMTP_TLS_SITE,
    ADDR_AGENT_TABLE_COUNT
};
enum { ADDR_FIND_KEYS_MAX = 130 }; /* a domain and what is above it */

/* From a task: *value is what the table has for the first of the keys that it has, the arena's;
 * empty: it has none. Not OK: it cannot be told now. */
MUST_USE struct outcome addr_find(struct addr_client *client, enum addr_agent_table table,
                                  const struct span *keys, size_t count, int64_t deadline_ms,
                                  struct arena *arena, struct span *value);

enum { ADDR_LOOKUP_KEYS_MAX = 50 }; /* as many fit at any length */

/* From a task: what tables of the settings, named as there, say of the first key that one of them
 * has. Only tables that a service's settings name are asked. keeps_case: keys are looked up as they
 * are. *value is the arena's; empty: none.
 * Not OK: it cannot be told now. */
MUST_USE struct outcome addr_lookup(struct addr_client *client, struct span tables, bool keeps_case,
                                    const struct span *keys, size_t count, int64_t deadline_ms,
                                    struct arena *arena, struct span *value);

#endif
