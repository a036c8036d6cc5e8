/* auth/credential - see credential.h. */
#include "auth/credential.h"

#include "address/ip.h"

/* NAME/SCOPE/STORED: a name has no slash, a stored password may. */
static bool add_app_password(struct account *account, struct span value)
{
    struct account_password password;
    struct span rest;
    if (account->password_count == ACCOUNT_PASSWORDS_MAX ||
        !span_split_once(value, '/', &password.name, &rest) ||
        !span_split_once(rest, '/', &password.scope, &password.stored) ||
        password.name.length == 0 || password.stored.length == 0)
        return false;
    account->passwords[account->password_count++] = password;
    return true;
}

/* Dovecot's flags are set by their presence; "no" takes one back. */
static bool is_set(struct span value)
{
    return !span_equals_ascii_nocase(value, SPAN("no")) && !span_equals(value, SPAN("0"));
}

bool account_set(struct account *account, struct span key, struct span value)
{
    if (span_equals(key, SPAN("app_password")))
        return add_app_password(account, value);
    if (span_equals(key, SPAN("allow_nets")))
        account->allow_nets = value;
    else if (span_equals(key, SPAN("user")))
        account->user = value;
    else if (span_equals(key, SPAN("nopassword")))
        account->needs_no_password = is_set(value);
    else if (span_equals(key, SPAN("nologin")))
        account->is_disabled = is_set(value);
    else if (span_equals(key, SPAN("scope")) && account->password_count > 0 &&
             account->passwords[0].name.length == 0)
        account->passwords[0].scope = value;
    return true;
}

bool account_scope_has(struct span scope, struct span service)
{
    struct span word;
    if (span_is_empty(span_trim_spaces(scope)))
        return true;
    while (span_next_word(&scope, ", \t", &word)) {
        if (span_equals_ascii_nocase(word, service))
            return true;
        /* Handing in mail is smtp, whatever the port is called. */
        if (span_equals_ascii_nocase(service, SPAN("smtp")) &&
            (span_equals_ascii_nocase(word, SPAN("submission")) ||
             span_equals_ascii_nocase(word, SPAN("submit"))))
            return true;
    }
    return false;
}

bool account_permits_address(const struct account *account, struct span address,
                             struct arena *arena, bool *is_wrong)
{
    struct ip_network_list networks;
    struct ip_address client;
    struct span bad_word, rest = account->allow_nets, word;
    *is_wrong = false;
    if (span_is_empty(span_trim_spaces(account->allow_nets)))
        return true;
    if (!ip_address_parse(address, &client))
        return false;
    while (span_next_word(&rest, ", \t", &word)) {
        /* As Dovecot writes them: IPv6 without brackets. */
        const bool is_bare = span_find_byte(word, ':') < word.length && word.bytes[0] != '[';
        struct span base, bits;
        const bool has_bits = span_split_once(word, '/', &base, &bits);
        if (is_bare)
            word = arena_format(arena, "[%.*s]%s%.*s", SPAN_PRINTF(base), has_bits ? "/" : "",
                                SPAN_PRINTF(bits));
        if (!word.bytes || ip_network_list_parse(word, arena, &networks, &bad_word) != PARSE_OK) {
            *is_wrong = true;
            return false;
        }
        if (ip_network_list_has(&networks, &client))
            return true;
    }
    return false;
}
