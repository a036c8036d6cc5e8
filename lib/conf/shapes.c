/* conf/shapes - see shapes.h. */
#include "conf/shapes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/number.h"
#include "conf/shapes_private.h"
#include "conf/suggest.h"
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

void conf_shape_complain(const struct conf_shape_question *question, struct conf_notices *notices,
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
        conf_shape_complain(question, notices, CONF_NOTICE_ERROR,
                            "a domain name is needed, not a file: write what stands in it");
    else if (!is_literal && !is_host_name(value))
        conf_shape_complain(
            question, notices, CONF_NOTICE_ERROR,
            "this is no host name: labels of letters, digits and hyphens with dots between "
            "them are allowed");
}

static void check_path(const struct conf_shape_question *question, struct conf_notices *notices)
{
    if (!span_is_empty(question->value) && question->value.bytes[0] != '/')
        conf_shape_complain(question, notices, CONF_NOTICE_ERROR, "a path from / on is allowed");
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
        conf_shape_complain(question, notices, CONF_NOTICE_ERROR,
                            "the file must be below one of maillog_file_prefixes = %.*s",
                            SPAN_PRINTF(span_first(buffer_span(&prefixes), SHOWN_MAX_BYTES)));
    buffer_release(&prefixes);
}

static void check_mode(const struct conf_shape_question *question, struct conf_notices *notices)
{
    uint64_t mode;
    if (!number_parse_octal(question->value, MODE_MAX, &mode))
        conf_shape_complain(question, notices, CONF_NOTICE_ERROR,
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
        conf_shape_complain(question, notices, CONF_NOTICE_ERROR,
                            "an IPv%d address is allowed, or nothing", family == AF_INET ? 4 : 6);
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
            conf_shape_complain(
                question, notices, CONF_NOTICE_ERROR,
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
    if (at == 0 || !is_host_name(span_after(value, at + 1)) || conf_has_any_byte(value, " \t<>,"))
        conf_shape_complain(question, notices, CONF_NOTICE_ERROR,
                            "an address is allowed, user@domain");
}

static void check_https(const struct conf_shape_question *question, struct conf_notices *notices)
{
    if (!span_is_empty(question->value) &&
        (!span_starts_with_ascii_nocase(question->value, SPAN("https://")) ||
         conf_has_any_byte(question->value, " \t#")))
        conf_shape_complain(question, notices, CONF_NOTICE_ERROR,
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
static bool is_port(struct span text)
{
    int64_t number;
    return conf_value_parse_number(text, &number)
               ? number >= 1 && number <= UINT16_MAX
               : conf_value_is_one_of(text, "smtp|lmtp|submission|submissions") ||
                     is_port_name(text);
}

static void check_port(const struct conf_shape_question *question, struct conf_notices *notices)
{
    if (!is_port(question->value))
        conf_shape_complain(
            question, notices, CONF_NOTICE_ERROR,
            "no port has this name: a number from 1 to 65535, or a name of /etc/services, is "
            "allowed");
}

static bool is_digits(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!ascii_is_digit(text.bytes[i]))
            return false;
    return text.length > 0;
}

static bool is_next_hop(struct span word)
{
    struct span host, rest;
    const size_t end = span_find_byte(word, ']');
    if (!span_starts_with(word, SPAN("["))) {
        const bool has_port = span_split_once(word, ':', &host, &rest);
        return is_host_name(host) && !is_digits(host) && (!has_port || is_port(rest));
    }
    if (end <= 1 || end == word.length)
        return false;
    host = span_between(word, 1, end);
    rest = span_after(word, end + 1);
    if (span_starts_with_ascii_nocase(host, SPAN("ipv6:")))
        host = span_after(host, 5);
    return (is_host_name(host) || is_ip(host, AF_INET6)) &&
           (span_is_empty(rest) || (rest.bytes[0] == ':' && is_port(span_after(rest, 1))));
}

static void check_next_hops(const struct conf_shape_question *question,
                            struct conf_notices *notices)
{
    struct span rest = question->value, word;
    while (span_next_word(&rest, separators, &word))
        if (!is_next_hop(word)) {
            conf_shape_complain(
                question, notices, CONF_NOTICE_ERROR,
                "\"%.*s\" is no next hop: host, [host], host:port or [host]:port is allowed",
                SPAN_PRINTF(span_first(word, SHOWN_MAX_BYTES)));
            return;
        }
}

/* What is no domain matches none; tables and files are looked at where they are opened. */
static void check_domains(const struct conf_shape_question *question, struct conf_notices *notices)
{
    struct span rest = question->value, word;
    size_t opened = 0; /* braces of a table whose content stands here */
    while (span_next_word(&rest, separators, &word)) {
        const bool is_inside = opened > 0;
        for (size_t i = 0; i < word.length; i++) {
            opened += word.bytes[i] == '{';
            opened -= word.bytes[i] == '}' && opened > 0;
        }
        if (is_inside)
            continue;
        while (span_starts_with(word, SPAN("!")) || span_starts_with(word, SPAN(".")))
            word = span_after(word, 1);
        if (!conf_has_any_byte(word, ":/[{}") && !is_host_name(word))
            conf_shape_complain(question, notices, CONF_NOTICE_WARNING,
                                "\"%.*s\" is no domain, so that it matches none",
                                SPAN_PRINTF(span_first(word, SHOWN_MAX_BYTES)));
    }
}

static void check_networks(const struct conf_shape_question *question, struct conf_notices *notices)
{
    struct span rest = question->value, word;
    while (span_next_word(&rest, separators, &word))
        if (conf_value_is_one_of(word, "0.0.0.0/0|[::]/0"))
            conf_shape_complain(question, notices, CONF_NOTICE_WARNING,
                                "\"%.*s\" is everybody: whoever connects may send mail to anywhere",
                                SPAN_PRINTF(word));
}

static void check_own_name(const struct conf_shape_question *question, struct conf_notices *notices)
{
    check_host_name(question, notices);
    if (is_host_name(question->value) &&
        span_find_byte(question->value, '.') == question->value.length)
        conf_shape_complain(
            question, notices, CONF_NOTICE_WARNING,
            "a name without a domain, which other servers may refuse: write it in full, as in "
            "mail.example.org");
}

/* ---- words ---- */

static bool is_of_program(const struct conf_instance *instance, struct span transport,
                          struct span program)
{
    for (size_t i = 0; i < instance->master.service_count; i++)
        if (conf_service_is_transport(&instance->master.services[i]) &&
            span_equals(conf_service_name(&instance->master.services[i]), transport))
            return span_equals(instance->master.services[i].program, program);
    return false;
}

/* Mail would wait for a service that is not there. */
static void check_transport(const struct conf_shape_question *question,
                            struct conf_notices *notices)
{
    const struct span value = question->value;
    struct span transport, next_hop;
    (void)span_split_once(value, ':', &transport, &next_hop); /* without one it is the domain's */
    if (span_is_empty(transport))
        return;
    if (!conf_has_transport(question->instance, transport)) {
        const struct span meant = conf_suggest_transport(question->instance, transport);
        conf_shape_complain(
            question, notices, CONF_NOTICE_WARNING,
            "master.cf has no service \"%.*s\" that delivers mail: what is for it waits until "
            "there is one%s%.*s%s",
            SPAN_PRINTF(span_first(transport, SHOWN_MAX_BYTES)),
            meant.length ? "; did you mean " : "", SPAN_PRINTF(meant), meant.length ? "?" : "");
    } else if (is_of_program(question->instance, transport, SPAN("smtp"))) {
        struct span word;
        while (span_next_word(&next_hop, separators, &word))
            if (!is_next_hop(word))
                conf_shape_complain(
                    question, notices, CONF_NOTICE_WARNING,
                    "\"%.*s\" is no next hop: host, [host], host:port or [host]:port is "
                    "allowed",
                    SPAN_PRINTF(span_first(word, SHOWN_MAX_BYTES)));
    }
}

static void check_level(const struct conf_shape_question *question, struct conf_notices *notices)
{
    struct conf_error error;
    struct buffer output;
    buffer_init(&output, NULL, ADDRESS_MAX_BYTES);
    if (!conf_instance_expand(question->instance, question->service,
                              SPAN("${{$compatibility_level} <level {1} ? {a} : {b}}"), &output,
                              &error))
        conf_shape_complain(question, notices, CONF_NOTICE_ERROR, "%s", error.text);
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
            conf_shape_complain(question, notices, CONF_NOTICE_ERROR,
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
            conf_shape_complain(question, notices, CONF_NOTICE_WARNING,
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
        conf_shape_complain(question, notices, CONF_NOTICE_WARNING,
                            user ? "nothing is done as root: what would be waits"
                                 : "there is no such user: what would be done as that one waits");
}

/* static:N is the one table whose every answer can be foreseen. */
static void check_owner(const struct conf_shape_question *question, struct conf_notices *notices)
{
    const struct span type = SPAN("static:");
    int64_t number;
    if (span_starts_with(question->value, type) &&
        !conf_has_any_byte(question->value, separators) &&
        !conf_value_parse_number(span_after(question->value, type.length), &number))
        conf_shape_complain(question, notices, CONF_NOTICE_ERROR, "static: and a number is needed");
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
        conf_shape_complain(question, notices, CONF_NOTICE_ERROR, "%s", error.text);
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
        conf_shape_complain(question, notices, CONF_NOTICE_ERROR, "%s", error.text);
    } else {
        conf_for_each_reference(question->value, note_name, &names);
        if (!span_is_empty(names.unknown))
            conf_shape_complain(
                question, notices, CONF_NOTICE_WARNING,
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
    {"auth_oauth2_client_file", conf_shape_files},
    {"auth_oauth2_introspection_url", check_https},
    {"auth_oauth2_keys", conf_shape_files},
    {"auth_socket_mode", check_mode},
    {"auth_socket_owner", conf_shape_owner},
    {"auth_username_format", conf_shape_login_name},
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
    {"inet_interfaces", conf_shape_interfaces},
    {"lmtp_bind_address", check_ipv4},
    {"lmtp_bind_address6", check_ipv6},
    {"lmtp_fallback_relay", check_next_hops},
    {"lmtp_lhlo_name", check_host_name},
    {"lmtp_tcp_port", check_port},
    {"lmtp_tls_policy_trust_anchor_files", conf_shape_files},
    {"lmtp_tls_trust_anchor_file", conf_shape_files},
    {"local_header_rewrite_clients", check_rewrite_clients},
    {"local_transport", check_transport},
    {"luser_relay", check_delivery_text},
    {"mail_spool_directory", conf_shape_directory},
    {"mailbox_command", conf_shape_command},
    {"mailbox_quota", conf_shape_quota},
    {"mailbox_transport", check_transport},
    {"maillog_file", check_log_file},
    {"maillog_file_permissions", check_mode},
    {"mydomain", check_host_name},
    {"mydestination", check_domains},
    {"myhostname", check_own_name},
    {"mynetworks", check_networks},
    {"myorigin", check_host_name},
    {"parent_domain_matches_subdomains", check_parent_lists},
    {"proxy_interfaces", conf_shape_interfaces},
    {"queue_directory", check_path},
    {"relay_domains", check_domains},
    {"relay_transport", check_transport},
    {"relayhost", check_next_hops},
    {"run_directory", check_path},
    {"smtp_bind_address", check_ipv4},
    {"smtp_bind_address6", check_ipv6},
    {"smtp_fallback_relay", check_next_hops},
    {"smtp_helo_name", check_host_name},
    {"smtp_tcp_port", check_port},
    {"smtp_tls_policy_trust_anchor_files", conf_shape_files},
    {"smtp_tls_trust_anchor_file", conf_shape_files},
    {"smtpd_reject_footer", check_expansion},
    {"tlsrpt_contact_info", check_own_address},
    {"tlsrpt_sender", check_own_address},
    {"virtual_alias_domains", check_domains},
    {"virtual_gid_maps", check_owner},
    {"virtual_mailbox_base", conf_shape_directory},
    {"virtual_mailbox_domains", check_domains},
    {"virtual_transport", check_transport},
    {"virtual_uid_maps", check_owner},
};

void conf_shape_check(const struct conf_shape_question *question, struct conf_notices *notices)
{
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++)
        if (span_equals(question->name, span_from_string(shapes[i].name)))
            shapes[i].check(question, notices);
}
