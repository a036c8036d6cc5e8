/* conf/shapes - see shapes.h. */
#include "conf/shapes.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/number.h"
#include "conf/usage.h"
#include "conf/value.h"

enum {
    SHOWN_MAX_BYTES = 100,
    ADDRESS_MAX_BYTES = 64,
    PORT_NAME_MAX_BYTES = 32,
    USER_MAX_BYTES = 256,
    MODE_MAX = 0777
};

static const char separators[] = ", \t\r\n";

static bool has_any_byte(struct span text, const char *bytes)
{
    for (size_t i = 0; i < text.length; i++)
        if (span_find_byte(span_from_string(bytes), text.bytes[i]) < strlen(bytes))
            return true;
    return false;
}

static void complain(const struct conf_shape_question *question, struct conf_notices *notices,
                     enum conf_notice_level level, const char *format, ...) PRINTF_LIKE(4, 5);

static void complain(const struct conf_shape_question *question, struct conf_notices *notices,
                     enum conf_notice_level level, const char *format, ...)
{
    char reason[CONF_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof(reason), format, arguments); /* cut when too long */
    va_end(arguments);
    conf_notice_add(notices, level, "%.*s %.*s = %.*s: %s", SPAN_PRINTF(question->origin),
                    SPAN_PRINTF(question->name),
                    SPAN_PRINTF(span_first(question->value, SHOWN_MAX_BYTES)), reason);
}

/* ---- hosts and places ---- */

static bool is_host_name(struct span text)
{
    struct span rest = text, label;
    if (text.length == 0 || text.bytes[0] == '.' || text.bytes[text.length - 1] == '.')
        return false;
    while (span_next_word(&rest, ".", &label))
        for (size_t i = 0; i < label.length; i++) {
            const uint8_t byte = label.bytes[i];
            const bool is_allowed = ascii_is_alpha(byte) || ascii_is_digit(byte) || byte == '-' ||
                                    byte == '_' || byte >= 0x80;
            if (!is_allowed || (byte == '-' && (i == 0 || i + 1 == label.length)))
                return false;
        }
    return true;
}

static void check_host_name(const struct conf_shape_question *question,
                            struct conf_notices *notices)
{
    const struct span value = question->value;
    const bool is_literal = value.length > 2 && value.bytes[0] == '[' &&
                            value.bytes[value.length - 1] == ']' &&
                            span_ends_with(question->name, SPAN("o_name")); /* HELO's, LHLO's */
    if (span_starts_with(value, SPAN("/")))
        complain(question, notices, CONF_NOTICE_ERROR,
                 "a domain name is needed, not a file: write what stands in it");
    else if (!is_literal && !is_host_name(value))
        complain(question, notices, CONF_NOTICE_ERROR,
                 "this is no host name: labels of letters, digits and hyphens with dots between "
                 "them are allowed");
}

static void check_path(const struct conf_shape_question *question, struct conf_notices *notices)
{
    if (!span_is_empty(question->value) && question->value.bytes[0] != '/')
        complain(question, notices, CONF_NOTICE_ERROR, "a path from / on is allowed");
}

static bool is_below(struct span path, struct span prefixes)
{
    struct span prefix;
    while (span_next_word(&prefixes, separators, &prefix)) {
        while (prefix.length > 1 && prefix.bytes[prefix.length - 1] == '/')
            prefix = span_first(prefix, prefix.length - 1);
        if (span_starts_with(path, prefix) &&
            (path.length == prefix.length || path.bytes[prefix.length] == '/'))
            return true;
    }
    return false;
}

static void check_log_file(const struct conf_shape_question *question, struct conf_notices *notices)
{
    struct conf_error ignored;
    struct buffer prefixes;
    buffer_init(&prefixes, NULL, CONF_EXPAND_MAX_BYTES);
    if (!span_is_empty(question->value) &&
        conf_instance_value(question->instance, question->service, SPAN("maillog_file_prefixes"),
                            &prefixes, &ignored) &&
        !is_below(question->value, buffer_span(&prefixes)))
        complain(question, notices, CONF_NOTICE_ERROR,
                 "the file must be below one of maillog_file_prefixes = %.*s",
                 SPAN_PRINTF(span_first(buffer_span(&prefixes), SHOWN_MAX_BYTES)));
    buffer_release(&prefixes);
}

static void check_mode(const struct conf_shape_question *question, struct conf_notices *notices)
{
    uint64_t mode;
    if (!number_parse_octal(question->value, MODE_MAX, &mode))
        complain(question, notices, CONF_NOTICE_ERROR,
                 "a mode of three or four octal digits is allowed, as in 0644");
}

static bool is_ip(struct span value, int family)
{
    char text[ADDRESS_MAX_BYTES];
    uint8_t address[16];
    if (value.length >= sizeof(text))
        return false;
    memcpy(text, value.bytes, value.length);
    text[value.length] = '\0';
    return inet_pton(family, text, address) == 1;
}

static void check_ip(const struct conf_shape_question *question, struct conf_notices *notices,
                     int family)
{
    if (!span_is_empty(question->value) && !is_ip(question->value, family))
        complain(question, notices, CONF_NOTICE_ERROR, "an IPv%d address is allowed, or nothing",
                 family == AF_INET ? 4 : 6);
}

static void check_ipv4(const struct conf_shape_question *question, struct conf_notices *notices)
{
    check_ip(question, notices, AF_INET);
}

static void check_ipv6(const struct conf_shape_question *question, struct conf_notices *notices)
{
    check_ip(question, notices, AF_INET6);
}

static bool is_server(struct span word)
{
    struct span address = word, port = SPAN("53");
    int64_t number;
    const size_t end = span_find_byte(word, ']');
    if (span_starts_with(word, SPAN("[")) && end < word.length) {
        address = span_between(word, 1, end);
        if (end + 1 < word.length)
            port = word.bytes[end + 1] == ':' ? span_after(word, end + 2) : span_empty();
    } else if (span_find_byte(word, ':') == span_find_last_byte(word, ':')) {
        address = span_first(word, span_find_byte(word, ':'));
        if (address.length < word.length)
            port = span_after(word, address.length + 1);
    }
    return (is_ip(address, AF_INET) || is_ip(address, AF_INET6)) &&
           conf_value_parse_number(port, &number) && number >= 1 && number <= UINT16_MAX;
}

static void check_servers(const struct conf_shape_question *question, struct conf_notices *notices)
{
    struct span rest = question->value, word;
    while (span_next_word(&rest, separators, &word))
        if (!is_server(word)) {
            complain(question, notices, CONF_NOTICE_ERROR,
                     "\"%.*s\" is no resolver: address, address:port or [IPv6 address]:port is "
                     "allowed",
                     SPAN_PRINTF(span_first(word, SHOWN_MAX_BYTES)));
            return;
        }
}

/* Of our own: nothing completes it. */
static void check_own_address(const struct conf_shape_question *question,
                              struct conf_notices *notices)
{
    const struct span value = question->value;
    const size_t at = span_find_last_byte(value, '@');
    if (at == 0 || !is_host_name(span_after(value, at + 1)) || has_any_byte(value, " \t<>,"))
        complain(question, notices, CONF_NOTICE_ERROR, "an address is allowed, user@domain");
}

static void check_https(const struct conf_shape_question *question, struct conf_notices *notices)
{
    if (!span_is_empty(question->value) &&
        (!span_starts_with_ascii_nocase(question->value, SPAN("https://")) ||
         has_any_byte(question->value, " \t#")))
        complain(question, notices, CONF_NOTICE_ERROR,
                 "https://HOST/PATH or https://HOST:PORT/PATH is allowed, or nothing");
}

static bool is_port_name(struct span text)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char name[PORT_NAME_MAX_BYTES];
    if (text.length == 0 || text.length >= sizeof(name))
        return false;
    memcpy(name, text.bytes, text.length);
    name[text.length] = '\0';
    if (getaddrinfo(NULL, name, &hints, &list) != 0)
        return false;
    freeaddrinfo(list);
    return true;
}

/* A machine without /etc/services knows these, too. */
static void check_port(const struct conf_shape_question *question, struct conf_notices *notices)
{
    int64_t number;
    const bool is_number = conf_value_parse_number(question->value, &number);
    if (is_number ? number < 1 || number > UINT16_MAX
                  : !conf_value_is_one_of(question->value, "smtp|lmtp|submission|submissions") &&
                        !is_port_name(question->value))
        complain(question, notices, CONF_NOTICE_ERROR,
                 "no port has this name: a number from 1 to 65535, or a name of /etc/services, is "
                 "allowed");
}

static bool is_next_hop(struct span word)
{
    const size_t end = span_find_byte(word, ']');
    if (!span_starts_with(word, SPAN("[")))
        return end == word.length && span_find_byte(word, '[') == word.length;
    return end > 1 && end < word.length &&
           (end + 1 == word.length ||
            (word.bytes[end + 1] == ':' && end + 2 < word.length &&
             span_find_byte(span_after(word, end + 2), ']') + end + 2 == word.length));
}

static void check_next_hops(const struct conf_shape_question *question,
                            struct conf_notices *notices)
{
    struct span rest = question->value, word;
    while (span_next_word(&rest, separators, &word))
        if (!is_next_hop(word)) {
            complain(question, notices, CONF_NOTICE_ERROR,
                     "\"%.*s\" is no next hop: host, [host], host:port or [host]:port is allowed",
                     SPAN_PRINTF(span_first(word, SHOWN_MAX_BYTES)));
            return;
        }
}

/* ---- words ---- */

/* Mail would wait for a service that is not there. */
static void check_transport(const struct conf_shape_question *question,
                            struct conf_notices *notices)
{
    const struct span value = question->value;
    const struct span transport = span_first(value, span_find_byte(value, ':'));
    if (!span_is_empty(transport) && !conf_has_transport(question->instance, transport))
        complain(question, notices, CONF_NOTICE_WARNING,
                 "master.cf has no service \"%.*s\" that delivers mail: what is for it waits until "
                 "there is one",
                 SPAN_PRINTF(span_first(transport, SHOWN_MAX_BYTES)));
}

static void check_level(const struct conf_shape_question *question, struct conf_notices *notices)
{
    struct conf_error error;
    struct buffer output;
    buffer_init(&output, NULL, ADDRESS_MAX_BYTES);
    if (!conf_instance_expand(question->instance, question->service,
                              SPAN("${{$compatibility_level} <level {1} ? {a} : {b}}"), &output,
                              &error))
        complain(question, notices, CONF_NOTICE_ERROR, "%s", error.text);
    buffer_release(&output);
}

/* A list of clients takes any word for a host's name; nobody's host is called so. */
static void check_rewrite_clients(const struct conf_shape_question *question,
                                  struct conf_notices *notices)
{
    struct span rest = question->value, word;
    while (span_next_word(&rest, separators, &word))
        if ((span_starts_with(word, SPAN("permit_")) || span_starts_with(word, SPAN("check_"))) &&
            !conf_value_is_one_of(word, "permit_inet_interfaces|permit_mynetworks|"
                                        "permit_sasl_authenticated|permit_tls_clientcerts|"
                                        "permit_tls_all_clientcerts|check_address_map"))
            complain(question, notices, CONF_NOTICE_ERROR,
                     "unknown word \"%.*s\": permit_inet_interfaces, permit_mynetworks, "
                     "check_address_map with a table, and networks are allowed",
                     SPAN_PRINTF(span_first(word, SHOWN_MAX_BYTES)));
}

static void check_parent_lists(const struct conf_shape_question *question,
                               struct conf_notices *notices)
{
    struct span rest = question->value, word;
    while (span_next_word(&rest, separators, &word))
        if (!conf_value_is_one_of(word,
                                  "debug_peer_list|fast_flush_domains|mynetworks|"
                                  "permit_mx_backup_networks|qmqpd_authorized_clients|"
                                  "relay_domains|smtpd_access_maps|smtpd_authorized_verp_clients|"
                                  "smtpd_authorized_xclient_hosts|smtpd_authorized_xforward_hosts|"
                                  "smtpd_client_event_limit_exceptions|postscreen_access_list"))
            complain(question, notices, CONF_NOTICE_WARNING,
                     "\"%.*s\" is no parameter whose list has parents of domains",
                     SPAN_PRINTF(span_first(word, SHOWN_MAX_BYTES)));
}

static void check_user(const struct conf_shape_question *question, struct conf_notices *notices)
{
    char name[USER_MAX_BYTES];
    const struct span value = span_first(question->value, sizeof(name) - 1);
    memcpy(name, value.bytes, value.length);
    name[value.length] = '\0';
    const struct passwd *user = getpwnam(name);
    if (!user || user->pw_uid == 0)
        complain(question, notices, CONF_NOTICE_WARNING,
                 user ? "nothing is done as root: what would be waits"
                      : "there is no such user: what would be done as that one waits");
}

/* static:N is the one table whose every answer can be foreseen. */
static void check_owner(const struct conf_shape_question *question, struct conf_notices *notices)
{
    const struct span type = SPAN("static:");
    int64_t number;
    if (span_starts_with(question->value, type) && !has_any_byte(question->value, separators) &&
        !conf_value_parse_number(span_after(question->value, type.length), &number))
        complain(question, notices, CONF_NOTICE_ERROR, "static: and a number is needed");
}

/* ---- names that belong to a delivery ---- */

struct delivery_names {
    struct span unknown;
};

static bool find_any(void *context, struct span name, struct conf_definition *definition)
{
    (void)context;
    *definition = (struct conf_definition){.text = name, .is_literal = true};
    return true;
}

static void note_name(void *context, struct span name)
{
    struct delivery_names *names = context;
    if (span_is_empty(names->unknown) &&
        !conf_value_is_one_of(name, "home|shell|user|local|domain|recipient|extension|"
                                    "recipient_delimiter"))
        names->unknown = name;
}

/* Only whether it can be expanded. */
static void check_expansion(const struct conf_shape_question *question,
                            struct conf_notices *notices)
{
    const struct conf_scope scope = {.find = find_any};
    struct conf_error error;
    struct buffer output;
    buffer_init(&output, NULL, CONF_EXPAND_MAX_BYTES);
    if (!conf_expand(question->value, &scope, &output, &error))
        complain(question, notices, CONF_NOTICE_ERROR, "%s", error.text);
    buffer_release(&output);
}

static void check_delivery_text(const struct conf_shape_question *question,
                                struct conf_notices *notices)
{
    const struct conf_scope scope = {.find = find_any};
    struct delivery_names names = {.unknown = span_empty()};
    struct conf_error error;
    struct buffer output;
    buffer_init(&output, NULL, CONF_EXPAND_MAX_BYTES);
    if (!conf_expand(question->value, &scope, &output, &error)) {
        complain(question, notices, CONF_NOTICE_ERROR, "%s", error.text);
    } else {
        conf_for_each_reference(question->value, note_name, &names);
        if (!span_is_empty(names.unknown))
            complain(question, notices, CONF_NOTICE_WARNING,
                     "$%.*s stands for nothing here: home, shell, user, local, domain, recipient, "
                     "extension and recipient_delimiter do",
                     SPAN_PRINTF(span_first(names.unknown, SHOWN_MAX_BYTES)));
    }
    buffer_release(&output);
}

/* ---- all of them ---- */

static const struct {
    const char *name;
    void (*check)(const struct conf_shape_question *question, struct conf_notices *notices);
} shapes[] = {
    {"address_verify_default_transport", check_transport},
    {"address_verify_local_transport", check_transport},
    {"address_verify_relay_transport", check_transport},
    {"address_verify_virtual_transport", check_transport},
    {"address_verify_relayhost", check_next_hops},
    {"auth_oauth2_introspection_url", check_https},
    {"best_mx_transport", check_transport},
    {"command_directory", check_path},
    {"command_execution_directory", check_delivery_text},
    {"compatibility_level", check_level},
    {"daemon_directory", check_path},
    {"data_directory", check_path},
    {"default_privs", check_user},
    {"content_filter", check_transport},
    {"default_transport", check_transport},
    {"dns_servers", check_servers},
    {"fallback_relay", check_next_hops},
    {"fallback_transport", check_transport},
    {"fetch_tls_CAfile", check_path},
    {"forward_path", check_delivery_text},
    {"lmtp_bind_address", check_ipv4},
    {"lmtp_bind_address6", check_ipv6},
    {"lmtp_fallback_relay", check_next_hops},
    {"lmtp_lhlo_name", check_host_name},
    {"lmtp_tcp_port", check_port},
    {"local_header_rewrite_clients", check_rewrite_clients},
    {"local_transport", check_transport},
    {"luser_relay", check_delivery_text},
    {"mail_spool_directory", check_path},
    {"mailbox_transport", check_transport},
    {"maillog_file", check_log_file},
    {"maillog_file_permissions", check_mode},
    {"mydomain", check_host_name},
    {"myhostname", check_host_name},
    {"myorigin", check_host_name},
    {"parent_domain_matches_subdomains", check_parent_lists},
    {"queue_directory", check_path},
    {"relay_transport", check_transport},
    {"relayhost", check_next_hops},
    {"run_directory", check_path},
    {"smtp_bind_address", check_ipv4},
    {"smtp_bind_address6", check_ipv6},
    {"smtp_fallback_relay", check_next_hops},
    {"smtp_helo_name", check_host_name},
    {"smtp_tcp_port", check_port},
    {"smtpd_reject_footer", check_expansion},
    {"tlsrpt_contact_info", check_own_address},
    {"tlsrpt_sender", check_own_address},
    {"virtual_gid_maps", check_owner},
    {"virtual_mailbox_base", check_path},
    {"virtual_transport", check_transport},
    {"virtual_uid_maps", check_owner},
};

void conf_shape_check(const struct conf_shape_question *question, struct conf_notices *notices)
{
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++)
        if (span_equals(question->name, span_from_string(shapes[i].name)))
            shapes[i].check(question, notices);
}

/* ---- values that do not go together ---- */

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

static bool has_word(struct span list, struct span wanted)
{
    struct span word;
    while (span_next_word(&list, separators, &word))
        if (span_equals_ascii_nocase(word, wanted))
            return true;
    return false;
}

/* Tables are not looked into. */
static void compare_classes(struct comparison *comparison, const char *first, const char *second)
{
    struct span rest, word;
    if (!take_both(comparison, first, second))
        return;
    rest = buffer_span(&comparison->left);
    while (span_next_word(&rest, separators, &word)) {
        if (has_any_byte(word, ":/!") || !has_word(buffer_span(&comparison->right), word))
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
    compare_levels(&comparison);
    buffer_release(&comparison.right);
    buffer_release(&comparison.left);
}
