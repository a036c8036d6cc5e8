/* table/restrictions - see restrictions.h. */
#include "table/restrictions.h"

#include "conf/suggest.h"
#include "table/names.h"

enum { ITEMS_MAX = 1000, SHOWN_BYTES = 100 };

static const struct word_row {
    struct span name;
    enum restriction_word word;
    bool takes_table;
} word_rows[] = {
    {SPAN_LITERAL("check_ccert_access"), RESTRICTION_CHECK_CCERT_ACCESS, true},
    {SPAN_LITERAL("check_client_access"), RESTRICTION_CHECK_CLIENT_ACCESS, true},
    {SPAN_LITERAL("check_helo_access"), RESTRICTION_CHECK_HELO_ACCESS, true},
    {SPAN_LITERAL("check_recipient_access"), RESTRICTION_CHECK_RECIPIENT_ACCESS, true},
    {SPAN_LITERAL("check_sasl_access"), RESTRICTION_CHECK_SASL_ACCESS, true},
    {SPAN_LITERAL("check_sender_access"), RESTRICTION_CHECK_SENDER_ACCESS, true},
    {SPAN_LITERAL("defer"), RESTRICTION_DEFER, false},
    {SPAN_LITERAL("defer_if_permit"), RESTRICTION_DEFER_IF_PERMIT, false},
    {SPAN_LITERAL("defer_if_reject"), RESTRICTION_DEFER_IF_REJECT, false},
    {SPAN_LITERAL("defer_unauth_destination"), RESTRICTION_DEFER_UNAUTH_DESTINATION, false},
    {SPAN_LITERAL("permit"), RESTRICTION_PERMIT, false},
    {SPAN_LITERAL("permit_auth_destination"), RESTRICTION_PERMIT_AUTH_DESTINATION, false},
    {SPAN_LITERAL("permit_inet_interfaces"), RESTRICTION_PERMIT_INET_INTERFACES, false},
    {SPAN_LITERAL("permit_mynetworks"), RESTRICTION_PERMIT_MYNETWORKS, false},
    {SPAN_LITERAL("permit_sasl_authenticated"), RESTRICTION_PERMIT_SASL_AUTHENTICATED, false},
    {SPAN_LITERAL("permit_tls_all_clientcerts"), RESTRICTION_PERMIT_TLS_ALL_CLIENTCERTS, false},
    {SPAN_LITERAL("permit_tls_clientcerts"), RESTRICTION_PERMIT_TLS_CLIENTCERTS, false},
    {SPAN_LITERAL("reject"), RESTRICTION_REJECT, false},
    {SPAN_LITERAL("reject_authenticated_sender_login_mismatch"),
     RESTRICTION_REJECT_AUTHENTICATED_SENDER_LOGIN_MISMATCH, false},
    {SPAN_LITERAL("reject_invalid_helo_hostname"), RESTRICTION_REJECT_INVALID_HELO_HOSTNAME, false},
    {SPAN_LITERAL("reject_known_sender_login_mismatch"),
     RESTRICTION_REJECT_KNOWN_SENDER_LOGIN_MISMATCH, false},
    {SPAN_LITERAL("reject_non_fqdn_helo_hostname"), RESTRICTION_REJECT_NON_FQDN_HELO_HOSTNAME,
     false},
    {SPAN_LITERAL("reject_non_fqdn_recipient"), RESTRICTION_REJECT_NON_FQDN_RECIPIENT, false},
    {SPAN_LITERAL("reject_non_fqdn_sender"), RESTRICTION_REJECT_NON_FQDN_SENDER, false},
    {SPAN_LITERAL("reject_plaintext_session"), RESTRICTION_REJECT_PLAINTEXT_SESSION, false},
    {SPAN_LITERAL("reject_sender_login_mismatch"), RESTRICTION_REJECT_SENDER_LOGIN_MISMATCH, false},
    {SPAN_LITERAL("reject_unauth_destination"), RESTRICTION_REJECT_UNAUTH_DESTINATION, false},
    {SPAN_LITERAL("reject_unauth_pipelining"), RESTRICTION_REJECT_UNAUTH_PIPELINING, false},
    {SPAN_LITERAL("reject_unauthenticated_sender_login_mismatch"),
     RESTRICTION_REJECT_UNAUTHENTICATED_SENDER_LOGIN_MISMATCH, false},
    {SPAN_LITERAL("reject_unlisted_recipient"), RESTRICTION_REJECT_UNLISTED_RECIPIENT, false},
    {SPAN_LITERAL("reject_unlisted_sender"), RESTRICTION_REJECT_UNLISTED_SENDER, false},
    {SPAN_LITERAL("reject_unverified_recipient"), RESTRICTION_REJECT_UNVERIFIED_RECIPIENT, false},
    {SPAN_LITERAL("reject_unverified_sender"), RESTRICTION_REJECT_UNVERIFIED_SENDER, false},
    {SPAN_LITERAL("warn_if_reject"), RESTRICTION_WARN_IF_REJECT, false},
    /* Their former names. */
    {SPAN_LITERAL("check_relay_domains"), RESTRICTION_REJECT_UNAUTH_DESTINATION, false},
    {SPAN_LITERAL("reject_invalid_hostname"), RESTRICTION_REJECT_INVALID_HELO_HOSTNAME, false},
    {SPAN_LITERAL("reject_non_fqdn_hostname"), RESTRICTION_REJECT_NON_FQDN_HELO_HOSTNAME, false},
};

/* Postfix's, which this release cannot do. */
static const char *const absent_words[] = {
    "check_address_map",
    "check_client_a_access",
    "check_client_mx_access",
    "check_client_ns_access",
    "check_etrn_access",
    "check_helo_a_access",
    "check_helo_mx_access",
    "check_helo_ns_access",
    "check_policy_service",
    "check_recipient_a_access",
    "check_recipient_mx_access",
    "check_recipient_ns_access",
    "check_reverse_client_hostname_a_access",
    "check_reverse_client_hostname_access",
    "check_reverse_client_hostname_mx_access",
    "check_reverse_client_hostname_ns_access",
    "check_sender_a_access",
    "check_sender_mx_access",
    "check_sender_ns_access",
    "permit_dnswl_client",
    "permit_mx_backup",
    "permit_naked_ip_address",
    "permit_rhswl_client",
    "reject_maps_rbl",
    "reject_multi_recipient_bounce",
    "reject_rbl_client",
    "reject_rhsbl_client",
    "reject_rhsbl_helo",
    "reject_rhsbl_recipient",
    "reject_rhsbl_reverse_client",
    "reject_rhsbl_sender",
    "reject_unknown_address",
    "reject_unknown_client",
    "reject_unknown_client_hostname",
    "reject_unknown_forward_client_hostname",
    "reject_unknown_helo_hostname",
    "reject_unknown_hostname",
    "reject_unknown_recipient_domain",
    "reject_unknown_reverse_client_hostname",
    "reject_unknown_sender_domain",
    "sleep",
};

static bool is_absent_word(struct span word)
{
    for (size_t i = 0; i < ARRAY_LENGTH(absent_words); i++)
        if (span_equals_ascii_nocase(word, span_from_string(absent_words[i])))
            return true;
    return false;
}

static void describe_unknown(struct span word, struct conf_error *error)
{
    const char *names[ARRAY_LENGTH(word_rows)];

    if (is_absent_word(word)) {
        conf_error_set(error,
                       "this release cannot do \"%.*s\", and would let pass what it is to stop; "
                       "take the word out to run without it",
                       SPAN_PRINTF(span_first(word, SHOWN_BYTES)));
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(word_rows); i++)
        names[i] = (const char *)word_rows[i].name.bytes;
    const struct span meant = conf_suggest_word(word, names, ARRAY_LENGTH(names));
    if (meant.length)
        conf_error_set(error, "\"%.*s\" is no restriction; did you mean %.*s?",
                       SPAN_PRINTF(span_first(word, SHOWN_BYTES)), SPAN_PRINTF(meant));
    else
        conf_error_set(error,
                       "\"%.*s\" is no restriction: words as permit_mynetworks and "
                       "reject_unauth_destination, and tables as hash:/file, are allowed",
                       SPAN_PRINTF(span_first(word, SHOWN_BYTES)));
}

static const struct word_row *find_row(struct span word)
{
    for (size_t i = 0; i < ARRAY_LENGTH(word_rows); i++)
        if (span_equals_ascii_nocase(word, word_rows[i].name))
            return &word_rows[i];
    return NULL;
}

static bool is_table(struct span word)
{
    return span_find_byte(word, ':') < word.length;
}

static bool parse_item(struct span word, struct span *rest, struct restriction *item,
                       struct conf_error *error)
{
    const struct word_row *row = find_row(word);
    *item =
        (struct restriction){.word = RESTRICTION_CHECK_ACCESS, .table = {.names = span_empty()}};
    if (!row && is_table(word)) {
        item->table.names = word;
        return true;
    }
    if (!row) {
        describe_unknown(word, error);
        return false;
    }
    item->word = row->word;
    if (!row->takes_table)
        return true;
    if (table_next_name(rest, &item->table.names) && is_table(item->table.names))
        return true;
    conf_error_set(error, "%.*s is followed by a table, as in %.*s hash:/file",
                   SPAN_PRINTF(row->name), SPAN_PRINTF(row->name));
    return false;
}

bool restriction_list_parse(struct span text, struct arena *arena, struct restriction_list *list,
                            struct conf_error *error)
{
    struct span rest = text, word;
    size_t count = 0;
    while (table_next_name(&rest, &word))
        count++;
    *list = (struct restriction_list){.count = 0};
    if (count > ITEMS_MAX) {
        conf_error_set(error, "a list has no more than %d words", ITEMS_MAX);
        return false;
    }
    list->items = arena_alloc(arena, count * sizeof(*list->items));
    if (!list->items) {
        conf_error_set(error, "out of memory");
        return false;
    }
    while (table_next_name(&text, &word)) {
        if (!parse_item(word, &text, &list->items[list->count], error))
            return false;
        list->count++;
    }
    return true;
}

bool restriction_list_open(struct restriction_list *list, const char *parameter,
                           struct conf_error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        struct restriction *item = &list->items[i];
        if (span_is_empty(item->table.names))
            continue;
        if (!table_reference_open(parameter, item->table.names, 0, &item->table, error))
            return false;
    }
    return true;
}

void restriction_list_close(struct restriction_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        table_reference_close(&list->items[i].table);
    *list = (struct restriction_list){.count = 0};
}

bool restriction_list_is_closed(const struct restriction_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const bool only_warns = i > 0 && list->items[i - 1].word == RESTRICTION_WARN_IF_REJECT;
        switch (list->items[i].word) {
        case RESTRICTION_DEFER:
        case RESTRICTION_DEFER_IF_PERMIT:
        case RESTRICTION_DEFER_UNAUTH_DESTINATION:
        case RESTRICTION_REJECT:
        case RESTRICTION_REJECT_UNAUTH_DESTINATION:
            if (!only_warns)
                return true;
            break;
        default:
            break;
        }
    }
    return false;
}
