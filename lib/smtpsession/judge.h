/* smtpsession/judge - lists of restrictions at work, as Postfix has them: one list after the other,
 * each until a word permits or refuses. A permission ends its own list, a refusal all.
 * Interface: session_judge(). Callers: this folder. judge.c has the words, access.c the tables. */
#ifndef SMTPSESSION_JUDGE_H
#define SMTPSESSION_JUDGE_H

#include "smtpsession/session_private.h"

enum judge_ruling { JUDGE_GOES_ON, JUDGE_PERMITS, JUDGE_REFUSES };

/* What a word, or the value of a table, is about: as replies name it. */
struct judge_subject {
    struct span name;
    const char *class;
};

struct judge {
    struct smtpsession *session;
    const char *stage; /* for the log */
    enum smtpsession_list list;
    const struct mailbox *recipient;           /* NULL before there is one */
    const struct smtpsession_verdict *verdict; /* on the recipient */
    bool only_warns;                           /* warn_if_reject stood before the word */
    unsigned depth;                            /* of lists that tables name */
    struct outcome refusal;
    struct outcome if_permitted; /* not OK: the refusal of what the lists let pass */
    struct outcome if_refused;   /* not OK: in place of a permanent refusal */
};

/* "<name>: class rejected: text" with this code; a warning where that is all that is asked for. */
MUST_USE enum judge_ruling judge_refuse(struct judge *judge, uint16_t code, uint16_t subject,
                                        uint16_t detail, const struct judge_subject *about,
                                        struct span text);
/* The same without a pattern: the reason as a whole. */
MUST_USE enum judge_ruling judge_refuse_as(struct judge *judge, struct outcome refusal);
/* A table that cannot be asked, a value that means nothing: never let pass. */
MUST_USE enum judge_ruling judge_fail(struct judge *judge, struct span name);
/* Logs a line about the command without refusing it. */
void judge_log(struct judge *judge, const char *action, struct span text);
MUST_USE enum judge_ruling judge_run(struct judge *judge, const struct restriction_list *list);
/* What the list that is at work is about. */
struct judge_subject judge_subject_of_list(const struct judge *judge);
struct judge_subject judge_sender(const struct judge *judge);
struct judge_subject judge_recipient(const struct judge *judge);

/* ccert.c: permit_tls_clientcerts. */
MUST_USE enum judge_ruling judge_listed_certificate(struct judge *judge);
/* Tries the certificate that the client has shown, by its fingerprint or its key's; without one
 * nothing is found. */
struct judge_search;
MUST_USE enum table_result judge_try_certificate(struct judge_search *search);
MUST_USE bool session_has_trusted_certificate(const struct smtpsession *session);

/* access.c: a look-up. Keys are tried at once where the tables are held, and else collected, to be
 * asked together: so whoever tries goes on with the next as long as nothing is found. */
enum { JUDGE_KEYS_MAX = 300 };
struct judge_search {
    struct judge *judge;
    const struct table_reference *tables;
    struct buffer *value;
    struct arena arena; /* of the keys */
    struct span *keys;
    size_t key_count;
};
void judge_search_begin(struct judge_search *search, struct judge *judge,
                        const struct table_reference *tables, struct buffer *value);
/* context: the search. For table_address_lookup(). */
MUST_USE enum table_result judge_try_key(void *context, struct span key);
/* found: what the last try said. An error is logged, for this setting or table. */
MUST_USE enum table_result judge_search_end(struct judge_search *search, enum table_result found,
                                            struct span what);

/* access.c: the settings make no sense, which was logged. */
MUST_USE enum judge_ruling judge_fail_configuration(struct judge *judge);
/* actions.c: false where the word is none of an action that lets the message pass. */
MUST_USE bool judge_action(struct judge *judge, const struct restriction *item,
                           const struct judge_subject *about, struct span word, struct span text,
                           enum judge_ruling *ruling);

/* access.c: a word that is followed by a table. */
MUST_USE enum judge_ruling judge_access(struct judge *judge, const struct restriction *item);
/* Who may send as this address? Names in *owners; false where nobody is named. *has_failed: nobody
 * can say. */
MUST_USE bool judge_find_owners(struct judge *judge, const struct mailbox *address,
                                struct buffer *owners, bool *has_failed);
/* judge.c: a domain with a dot in it, or an address literal. */
MUST_USE bool judge_is_qualified(struct span domain);
/* May this client, if it has logged in, send as that address? No list is asked. */
MUST_USE bool judge_login(struct smtpsession *session, const char *stage,
                          const struct mailbox *address, struct outcome *refusal);

#endif
