/* conf/compare - settings that do not go together. Interface: conf_shape_compare() of
 * conf/shapes.h. */
#include "conf/shapes.h"

#include "address/verp.h"
#include "conf/usage.h"
#include "conf/value.h"

enum { SHOWN_MAX_BYTES = 100 };

static const char separators[] = ", \t\r\n";

struct comparison {
    const struct conf_instance *instance;
    struct conf_notices *notices;
    struct buffer left;
    struct buffer right;
};

static bool is_set(const struct comparison *comparison, const char *name)
{
    return conf_main_find(&comparison->instance->main, span_from_string(name)) != NULL;
}

/* Both values; false when neither is set or one cannot be had, which has been noted. */
static bool take_both(struct comparison *comparison, const char *left, const char *right)
{
    struct conf_error ignored;
    buffer_reset(&comparison->left);
    buffer_reset(&comparison->right);
    return (is_set(comparison, left) || is_set(comparison, right)) &&
           conf_instance_value(comparison->instance, NULL, span_from_string(left),
                               &comparison->left, &ignored) &&
           conf_instance_value(comparison->instance, NULL, span_from_string(right),
                               &comparison->right, &ignored);
}

static void note_pair(struct comparison *comparison, const char *left, const char *right,
                      const char *consequence)
{
    const char *shown = is_set(comparison, left) ? left : right;
    const struct span origin =
        conf_instance_origin(comparison->instance, NULL, span_from_string(shown));
    conf_notice_add(comparison->notices, CONF_NOTICE_WARNING,
                    "%.*s %s = %.*s is more than %s = %.*s: %s", SPAN_PRINTF(origin), left,
                    SPAN_PRINTF(span_first(buffer_span(&comparison->left), SHOWN_MAX_BYTES)), right,
                    SPAN_PRINTF(span_first(buffer_span(&comparison->right), SHOWN_MAX_BYTES)),
                    consequence);
}

static void compare_backoff(struct comparison *comparison)
{
    static const char *const small = "minimal_backoff_time", *const large = "maximal_backoff_time";
    int64_t least_ms, most_ms;
    if (take_both(comparison, small, large) &&
        conf_value_parse_time(buffer_span(&comparison->left), 's', &least_ms) &&
        conf_value_parse_time(buffer_span(&comparison->right), 's', &most_ms) && least_ms > most_ms)
        note_pair(comparison, small, large, "waits between attempts do not grow");
}

/* 0 is no limit. */
static void compare_sizes(struct comparison *comparison, const char *mailbox)
{
    int64_t message, limit;
    if (take_both(comparison, "message_size_limit", mailbox) &&
        conf_value_parse_number(buffer_span(&comparison->left), &message) &&
        conf_value_parse_number(buffer_span(&comparison->right), &limit) && limit != 0 &&
        message > limit)
        note_pair(comparison, "message_size_limit", mailbox,
                  "mail that is taken may not fit into a mailbox");
}

/* Tables are not looked into. */
static void compare_classes(struct comparison *comparison, const char *first, const char *second)
{
    struct span rest, word;
    if (!take_both(comparison, first, second))
        return;
    rest = buffer_span(&comparison->left);
    while (span_next_word(&rest, separators, &word)) {
        if (conf_has_any_byte(word, ":/!") || !span_list_has(buffer_span(&comparison->right), word))
            continue;
        const char *shown = is_set(comparison, second) ? second : first;
        conf_notice_add(
            comparison->notices, CONF_NOTICE_WARNING,
            "%.*s %s: %.*s stands in %s, too; a domain belongs into one of them",
            SPAN_PRINTF(conf_instance_origin(comparison->instance, NULL, span_from_string(shown))),
            shown, SPAN_PRINTF(span_first(word, SHOWN_MAX_BYTES)),
            shown == second ? first : second);
    }
}

static void compare_owner(struct comparison *comparison, const char *maps)
{
    if (!take_both(comparison, "virtual_transport", "virtual_mailbox_domains") ||
        !span_equals(buffer_span(&comparison->left), SPAN("virtual")) ||
        span_is_empty(buffer_span(&comparison->right)) ||
        !take_both(comparison, "virtual_mailbox_domains", maps) ||
        !span_is_empty(buffer_span(&comparison->right)))
        return;
    conf_notice_add(
        comparison->notices, CONF_NOTICE_WARNING,
        "%.*s virtual_mailbox_domains: %s is not set, so that mail for these domains waits",
        SPAN_PRINTF(
            conf_instance_origin(comparison->instance, NULL, SPAN("virtual_mailbox_domains"))),
        maps);
}

/* static:N is the one table whose answer can be foreseen. */
static void compare_uid(struct comparison *comparison)
{
    const struct span type = SPAN("static:");
    int64_t uid, limit;
    if (!take_both(comparison, "virtual_uid_maps", "virtual_minimum_uid") ||
        !span_starts_with(buffer_span(&comparison->left), type) ||
        !conf_value_parse_number(span_after(buffer_span(&comparison->left), type.length), &uid))
        return;
    const bool is_below = conf_value_parse_number(buffer_span(&comparison->right), &limit) &&
                          (uid == 0 || uid < limit);
    const char *name = is_below ? "virtual_minimum_uid" : "last_valid_uid";
    if (!is_below && (!take_both(comparison, "virtual_uid_maps", name) ||
                      !conf_value_parse_number(buffer_span(&comparison->right), &limit) ||
                      limit == 0 || uid <= limit))
        return;
    conf_notice_add(
        comparison->notices, CONF_NOTICE_WARNING,
        "%.*s virtual_uid_maps = %.*s: no mailbox may be this user's, by %s = %lld: all mail for "
        "virtual mailboxes waits",
        SPAN_PRINTF(conf_instance_origin(comparison->instance, NULL, SPAN("virtual_uid_maps"))),
        SPAN_PRINTF(span_first(buffer_span(&comparison->left), SHOWN_MAX_BYTES)), name,
        (long long)limit);
}

static void compare_passwords(struct comparison *comparison, const char *enable, const char *maps)
{
    bool is_enabled;
    if (!take_both(comparison, enable, maps) || !is_set(comparison, enable) ||
        !conf_value_parse_bool(buffer_span(&comparison->left), &is_enabled) || !is_enabled ||
        !span_is_empty(buffer_span(&comparison->right)))
        return;
    conf_notice_add(
        comparison->notices, CONF_NOTICE_WARNING,
        "%.*s %s = yes: no password is known for any server: name a table in %s",
        SPAN_PRINTF(conf_instance_origin(comparison->instance, NULL, span_from_string(enable))),
        enable, maps);
}

/* Postfix does not start with such a pair either. */
static void compare_verp(struct comparison *comparison)
{
    static const char *const usual = "default_verp_delimiters", *const filter =
                                                                    "verp_delimiter_filter";
    if (!take_both(comparison, usual, filter) ||
        verp_delimiters_are_valid(buffer_span(&comparison->left), buffer_span(&comparison->right)))
        return;
    const char *shown = is_set(comparison, usual) ? usual : filter;
    conf_notice_add(
        comparison->notices, CONF_NOTICE_ERROR, "%.*s %s = %.*s is not two characters of %s = %.*s",
        SPAN_PRINTF(conf_instance_origin(comparison->instance, NULL, span_from_string(shown))),
        usual, SPAN_PRINTF(span_first(buffer_span(&comparison->left), SHOWN_MAX_BYTES)), filter,
        SPAN_PRINTF(span_first(buffer_span(&comparison->right), SHOWN_MAX_BYTES)));
}

static void note_level(struct comparison *comparison, const char *level, const char *consequence)
{
    conf_notice_add(
        comparison->notices, CONF_NOTICE_WARNING, "%.*s %s = %.*s: %s",
        SPAN_PRINTF(conf_instance_origin(comparison->instance, NULL, span_from_string(level))),
        level, SPAN_PRINTF(span_first(buffer_span(&comparison->left), SHOWN_MAX_BYTES)),
        consequence);
}

/* The value of another setting beside the level's. */
static struct span beside_level(struct comparison *comparison, const char *level, const char *name)
{
    return take_both(comparison, level, name) ? buffer_span(&comparison->right) : span_empty();
}

/* A level that names a server needs somebody who knows it. */
static void compare_level(struct comparison *comparison, const char *level,
                          const char *const *authorities, const char *fingerprints,
                          const char *support)
{
    if (!is_set(comparison, level) || !take_both(comparison, level, support))
        return;
    const struct span wanted = buffer_span(&comparison->left);
    if (span_starts_with_ascii_nocase(wanted, SPAN("dane")) &&
        !span_equals_ascii_nocase(buffer_span(&comparison->right), SPAN("dnssec")))
        note_level(comparison, level, "without smtp_dns_support_level = dnssec there is no DANE");
    if (span_equals_ascii_nocase(wanted, SPAN("fingerprint")) &&
        span_is_empty(beside_level(comparison, level, fingerprints)))
        note_level(comparison, level, "no fingerprint is given, so that no server is good enough");
    if (!span_equals_ascii_nocase(buffer_span(&comparison->left), SPAN("verify")) &&
        !span_equals_ascii_nocase(buffer_span(&comparison->left), SPAN("secure")))
        return;
    for (size_t i = 0; authorities[i]; i++) {
        const struct span value = beside_level(comparison, level, authorities[i]);
        if (!span_is_empty(value) && !span_equals_ascii_nocase(value, SPAN("no")))
            return;
    }
    note_level(comparison, level,
               "no authority is trusted, so that no server is good enough: set "
               "tls_append_default_CA = yes for those of the system, or a CAfile");
}

static void compare_levels(struct comparison *comparison)
{
    static const char *const smtp[] = {"smtp_tls_CAfile", "smtp_tls_CApath",
                                       "smtp_tls_trust_anchor_file", "tls_append_default_CA", NULL};
    static const char *const lmtp[] = {"lmtp_tls_CAfile", "lmtp_tls_CApath",
                                       "lmtp_tls_trust_anchor_file", "tls_append_default_CA", NULL};
    compare_level(comparison, "smtp_tls_security_level", smtp, "smtp_tls_fingerprint_cert_match",
                  "smtp_dns_support_level");
    compare_level(comparison, "lmtp_tls_security_level", lmtp, "lmtp_tls_fingerprint_cert_match",
                  "lmtp_dns_support_level");
}

void conf_shape_compare(const struct conf_instance *instance, struct conf_notices *notices)
{
    struct comparison comparison = {.instance = instance, .notices = notices};
    buffer_init(&comparison.left, NULL, CONF_EXPAND_MAX_BYTES);
    buffer_init(&comparison.right, NULL, CONF_EXPAND_MAX_BYTES);
    compare_backoff(&comparison);
    compare_sizes(&comparison, "mailbox_size_limit");
    compare_sizes(&comparison, "virtual_mailbox_limit");
    compare_classes(&comparison, "mydestination", "virtual_mailbox_domains");
    compare_classes(&comparison, "mydestination", "virtual_alias_domains");
    compare_classes(&comparison, "virtual_alias_domains", "virtual_mailbox_domains");
    compare_owner(&comparison, "virtual_uid_maps");
    compare_owner(&comparison, "virtual_gid_maps");
    compare_owner(&comparison, "virtual_mailbox_base");
    compare_uid(&comparison);
    compare_passwords(&comparison, "smtp_sasl_auth_enable", "smtp_sasl_password_maps");
    compare_passwords(&comparison, "lmtp_sasl_auth_enable", "lmtp_sasl_password_maps");
    compare_levels(&comparison);
    compare_verp(&comparison);
    buffer_release(&comparison.right);
    buffer_release(&comparison.left);
}
