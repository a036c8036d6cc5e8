/* table/restrictions - lists of restrictions, as smtpd_recipient_restrictions and its like have
 * them: words, of which some are followed by a table.
 * Interface: restriction_list_parse(), restriction_list_open(). What a word means is
 * lib/smtpsession's business. A new word is a row of the table in restrictions.c and a value here.
 * Callers: lib/smtpserver, lib/smtpsession, table/check. */
#ifndef TABLE_RESTRICTIONS_H
#define TABLE_RESTRICTIONS_H

#include "base/arena.h"
#include "conf/notice.h"
#include "table/held.h"

enum restriction_word {
    RESTRICTION_CHECK_ACCESS, /* a table alone: of what the list is about */
    RESTRICTION_CHECK_CCERT_ACCESS,
    RESTRICTION_CHECK_CLIENT_ACCESS,
    RESTRICTION_CHECK_HELO_ACCESS,
    RESTRICTION_CHECK_RECIPIENT_ACCESS,
    RESTRICTION_CHECK_SASL_ACCESS,
    RESTRICTION_CHECK_SENDER_ACCESS,
    RESTRICTION_DEFER,
    RESTRICTION_DEFER_IF_PERMIT,
    RESTRICTION_DEFER_IF_REJECT,
    RESTRICTION_DEFER_UNAUTH_DESTINATION,
    RESTRICTION_PERMIT,
    RESTRICTION_PERMIT_AUTH_DESTINATION,
    RESTRICTION_PERMIT_INET_INTERFACES,
    RESTRICTION_PERMIT_MYNETWORKS,
    RESTRICTION_PERMIT_SASL_AUTHENTICATED,
    RESTRICTION_PERMIT_TLS_ALL_CLIENTCERTS,
    RESTRICTION_PERMIT_TLS_CLIENTCERTS,
    RESTRICTION_REJECT,
    RESTRICTION_REJECT_AUTHENTICATED_SENDER_LOGIN_MISMATCH,
    RESTRICTION_REJECT_INVALID_HELO_HOSTNAME,
    RESTRICTION_REJECT_KNOWN_SENDER_LOGIN_MISMATCH,
    RESTRICTION_REJECT_NON_FQDN_HELO_HOSTNAME,
    RESTRICTION_REJECT_NON_FQDN_RECIPIENT,
    RESTRICTION_REJECT_NON_FQDN_SENDER,
    RESTRICTION_REJECT_PLAINTEXT_SESSION,
    RESTRICTION_REJECT_SENDER_LOGIN_MISMATCH,
    RESTRICTION_REJECT_UNAUTH_DESTINATION,
    RESTRICTION_REJECT_UNAUTH_PIPELINING,
    RESTRICTION_REJECT_UNAUTHENTICATED_SENDER_LOGIN_MISMATCH,
    RESTRICTION_REJECT_UNLISTED_RECIPIENT,
    RESTRICTION_REJECT_UNLISTED_SENDER,
    RESTRICTION_REJECT_UNVERIFIED_RECIPIENT,
    RESTRICTION_REJECT_UNVERIFIED_SENDER,
    RESTRICTION_WARN_IF_REJECT
};

struct restriction {
    enum restriction_word word;
    struct table_reference table; /* empty where the word has none; before it is opened a name */
};

struct restriction_list {
    struct restriction *items;
    size_t count;
};

/* The items lie in the arena, names of tables in the text. False with the reason in *error, which
 * names the word: one that is none, or that this release does not have; a table that is missing. */
MUST_USE bool restriction_list_parse(struct span text, struct arena *arena,
                                     struct restriction_list *list, struct conf_error *error);
/* Reads the tables into memory that stand in the text. parameter: for complaints. */
MUST_USE bool restriction_list_open(struct restriction_list *list, const char *parameter,
                                    struct conf_error *error);
void restriction_list_close(struct restriction_list *list);
/* Does it end relaying for strangers, whatever tables say? One of reject, defer, defer_if_permit,
 * reject_unauth_destination and defer_unauth_destination that is not only a warning. */
MUST_USE bool restriction_list_is_closed(const struct restriction_list *list);
#define RESTRICTIONS_THAT_CLOSE                                                                    \
    "reject_unauth_destination, defer_unauth_destination, reject, defer and defer_if_permit"

#endif
