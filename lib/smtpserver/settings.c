/* smtpserver/settings - see settings.h. */
#include "smtpserver/settings.h"

#include "smtp/transcript.h"

/* No client waits longer than this for qmgr: RFC 5321 section 4.5.3.2.6 gives ten minutes to the
 * answer after the last dot. */
enum { QUEUE_TIMEOUT_MAX_MS = 300000 };

static bool make_networks(const struct conf_smtpd *conf, struct arena *arena,
                          struct smtpsession_settings *settings, struct conf_error *error)
{
    struct span bad_word = span_empty();
    if (ip_network_list_parse(conf->mynetworks, arena, &settings->trusted_networks, &bad_word) !=
        PARSE_OK) {
        conf_error_set(
            error, "mynetworks: \"%.*s\" is not a network; write 192.0.2.0/24 or [2001:db8::]/32",
            SPAN_PRINTF(bad_word));
        return false;
    }
    return true;
}

static bool make_characters(struct span text, const char *name, struct byteset *set,
                            struct conf_error *error)
{
    if (byteset_parse(text, set)) {
        /* Lines have ends; what else their bytes may be is the business of other settings. */
        byteset_remove(set, '\r');
        byteset_remove(set, '\n');
        return true;
    }
    conf_error_set(
        error,
        "%s: a backslash stands before one of a b f n r t v, another backslash or octal digits",
        name);
    return false;
}

static enum smtpsession_greet_action greet_action(struct span name)
{
    if (span_equals(name, SPAN("drop")))
        return SMTPSESSION_GREET_DROP;
    return span_equals(name, SPAN("enforce")) ? SMTPSESSION_GREET_ENFORCE
                                              : SMTPSESSION_GREET_IGNORE;
}

static struct smtpsession_limits limits_of(const struct conf_smtpd *conf)
{
    return (struct smtpsession_limits){
        .connection_count = conf->smtpd_client_connection_count_limit,
        .connection_rate = conf->smtpd_client_connection_rate_limit,
        .message_rate = conf->smtpd_client_message_rate_limit,
        .recipient_rate = conf->smtpd_client_recipient_rate_limit,
        .new_tls_rate = conf->smtpd_client_new_tls_session_rate_limit,
        .auth_rate = conf->smtpd_client_auth_rate_limit,
        .ipv4_prefix_bits = (uint8_t)conf->smtpd_client_ipv4_prefix_length,
        .ipv6_prefix_bits = (uint8_t)conf->smtpd_client_ipv6_prefix_length,
        .sender_message_rate = conf->smtpd_sender_message_rate_limit,
        .sender_recipient_rate = conf->smtpd_sender_recipient_rate_limit,
        .sender_window_s = (uint32_t)(conf->smtpd_sender_rate_time_unit_ms / 1000),
    };
}

static unsigned refused_properties(struct span options)
{
    return (span_list_has(options, SPAN("noplaintext")) ? AUTH_PLAINTEXT : 0U) |
           (span_list_has(options, SPAN("noactive")) ? AUTH_ACTIVE : 0U) |
           (span_list_has(options, SPAN("nodictionary")) ? AUTH_DICTIONARY : 0U) |
           (span_list_has(options, SPAN("noanonymous")) ? AUTH_ANONYMOUS : 0U);
}

static unsigned required_properties(struct span options)
{
    return (span_list_has(options, SPAN("forward_secrecy")) ? AUTH_FORWARD_SECRECY : 0U) |
           (span_list_has(options, SPAN("mutual_auth")) ? AUTH_MUTUAL : 0U);
}

static struct smtpsession_login login_of(const struct conf_smtpd *conf)
{
    return (struct smtpsession_login){
        .is_enabled = conf->smtpd_sasl_auth_enable,
        .shows_user = conf->smtpd_sasl_authenticated_header,
        .has_broken_clients = conf->broken_sasl_auth_clients,
        .refused_properties = refused_properties(conf->smtpd_sasl_security_options),
        .required_properties = required_properties(conf->smtpd_sasl_security_options),
        .refused_over_tls = refused_properties(conf->smtpd_sasl_tls_security_options),
        .required_over_tls = required_properties(conf->smtpd_sasl_tls_security_options),
        .response_limit = conf->smtpd_sasl_response_limit,
        .service = conf->smtpd_sasl_service,
        .local_domain = conf->smtpd_sasl_local_domain,
    };
}

/* The lists themselves come with the tables. */
static struct smtpsession_restrictions restrictions_of(const struct conf_smtpd *conf)
{
    return (struct smtpsession_restrictions){
        .delays_reject = conf->smtpd_delay_reject,
        .refuses_unlisted_sender = conf->smtpd_reject_unlisted_sender,
        .checks_relay_first = conf->smtpd_relay_before_recipient_restrictions,
        .matches_parents =
            span_list_has(conf->parent_domain_matches_subdomains, SPAN("smtpd_access_maps")),
        .has_special_owner_request = conf->owner_request_special,
        .reject_code = (uint16_t)conf->reject_code,
        .defer_code = (uint16_t)conf->defer_code,
        .access_reject_code = (uint16_t)conf->access_map_reject_code,
        .access_defer_code = (uint16_t)conf->access_map_defer_code,
        .non_fqdn_code = (uint16_t)conf->non_fqdn_reject_code,
        .invalid_hostname_code = (uint16_t)conf->invalid_hostname_reject_code,
        .plaintext_code = (uint16_t)conf->plaintext_reject_code,
        .null_access_key = conf->smtpd_null_access_lookup_key,
        .recipient_delimiter = conf->recipient_delimiter,
    };
}

void smtpserver_settings_add_session(const struct conf_smtpd *conf,
                                     struct smtpsession_settings *settings)
{
    settings->server_name = conf->myhostname;
    settings->banner = conf->smtpd_banner;
    settings->software = conf->mail_name;
    settings->completion.myorigin = conf->myorigin;
    settings->completion.mydomain = conf->mydomain;
    settings->completion.append_at_myorigin = conf->append_at_myorigin;
    settings->completion.append_dot_mydomain = conf->append_dot_mydomain;
    settings->completion.allow_percent_hack = conf->allow_percent_hack;
    settings->verp_delimiters = conf->default_verp_delimiters;
    settings->verp_delimiter_filter = conf->verp_delimiter_filter;
    settings->timeout_ms = conf->smtpd_timeout_ms;
    settings->line_length_limit =
        conf->line_length_limit < LOOP_BLOCK_BYTES ? conf->line_length_limit : LOOP_BLOCK_BYTES;
    settings->header_size_limit = (size_t)conf->header_size_limit;
    settings->message_size_limit = conf->message_size_limit;
    settings->hopcount_limit = conf->hopcount_limit;
    settings->recipient_limit = conf->smtpd_recipient_limit;
    settings->recipient_overshoot_limit = conf->smtpd_recipient_overshoot_limit;
    settings->soft_error_limit = conf->smtpd_soft_error_limit;
    settings->hard_error_limit = conf->smtpd_hard_error_limit;
    settings->junk_command_limit = conf->smtpd_junk_command_limit;
    settings->bare_newline_reject_code = (uint16_t)conf->smtpd_forbid_bare_newline_reject_code;
    settings->relay_reject_code = (uint16_t)conf->relay_domains_reject_code;
}

bool smtpserver_settings_make(const struct conf_smtpd *conf, struct arena *arena,
                              struct smtpsession_settings *settings, struct conf_error *error)
{
    *settings = (struct smtpsession_settings){
        .error_sleep_ms = conf->smtpd_error_sleep_time_ms,
        .queue_timeout_ms = conf->ipc_timeout_ms < QUEUE_TIMEOUT_MAX_MS ? conf->ipc_timeout_ms
                                                                        : QUEUE_TIMEOUT_MAX_MS,
        .limits = limits_of(conf),
        .greet_wait_ms = conf->smtpd_greet_wait_ms,
        .greet_action = greet_action(conf->postscreen_greet_action),
        .greet_ttl_s = (uint32_t)(conf->postscreen_greet_ttl_ms / 1000),
        .greet_banner = conf->postscreen_greet_banner,
        .has_request_deadline = conf->smtpd_per_request_deadline,
        .min_data_rate = conf->smtpd_min_data_rate,
        .is_vrfy_disabled = conf->disable_vrfy_command,
        .is_helo_required = conf->smtpd_helo_required,
        .has_strict_envelopes = conf->strict_rfc821_envelopes,
        .forbids_early_pipelining = conf->smtpd_forbid_unauth_pipelining,
        .logs_client_port = conf->smtpd_client_port_logging,
        .looks_up_client = conf->smtpd_peername_lookup,
        .has_soft_bounce = conf->soft_bounce,
        .speaks_lmtp = span_equals_ascii_nocase(conf->smtpd_protocol, SPAN("lmtp")),
        .has_smtputf8 = conf->smtputf8_enable,
        .has_strict_smtputf8 = conf->strict_smtputf8,
        .detects_smtputf8 = span_list_has(conf->smtputf8_autodetect_classes, SPAN("smtpd")) ||
                            span_list_has(conf->smtputf8_autodetect_classes, SPAN("all")),
        .notified_troubles = smtp_trouble_from_words(conf->notify_classes),
        .talk_limit = conf->smtpd_history_flush_threshold,
        .unverified_sender = {(uint16_t)conf->unverified_sender_reject_code,
                              (uint16_t)conf->unverified_sender_defer_code,
                              conf->unverified_sender_reject_reason,
                              span_equals_ascii_nocase(conf->unverified_sender_tempfail_action,
                                                       SPAN("defer"))},
        .unverified_recipient = {(uint16_t)conf->unverified_recipient_reject_code,
                                 (uint16_t)conf->unverified_recipient_defer_code,
                                 conf->unverified_recipient_reject_reason,
                                 span_equals_ascii_nocase(
                                     conf->unverified_recipient_tempfail_action, SPAN("defer"))},
        .discarded_ehlo_keywords = conf->smtpd_discard_ehlo_keywords,
        .takes_bare_lf = !span_equals_ascii_nocase(conf->smtpd_forbid_bare_newline, SPAN("reject")),
        .notes_bare_lf = span_equals_ascii_nocase(conf->smtpd_forbid_bare_newline, SPAN("note")),
        .has_upstream_proxy = conf->smtpd_upstream_proxy_protocol.length > 0,
        .proxy_timeout_ms = conf->smtpd_upstream_proxy_timeout_ms,
        .replaces_bare_cr = conf->cleanup_replace_stray_cr_lf,
        .filters_characters =
            conf->message_strip_characters.length || conf->message_reject_characters.length,
        .reject_footer = conf->smtpd_reject_footer,
        .opens_at_mail = !conf->smtpd_delay_open_until_valid_rcpt,
    };
    smtpserver_settings_add_session(conf, settings);
    settings->restrictions = restrictions_of(conf);
    settings->login = login_of(conf);
    settings->hides_client = conf->smtpd_hide_client_session;
    settings->content_filter = conf->content_filter;
    settings->maps_no_addresses =
        span_list_has(conf->receive_override_options, SPAN("no_address_mappings"));
    settings->completes_users =
        span_list_has(conf->local_header_rewrite_clients, SPAN("permit_sasl_authenticated"));
    settings->header_rules = (struct intake_header_rules){
        .completion = settings->completion,
        .remote_domain = conf->remote_header_rewrite_domain,
        .dropped_fields = conf->message_drop_headers,
        .undisclosed_recipients_header = conf->undisclosed_recipients_header,
        .server_name = conf->myhostname,
        .always_adds_missing = conf->always_add_missing_headers,
    };
    return make_networks(conf, arena, settings, error) &&
           make_characters(conf->message_strip_characters, "message_strip_characters",
                           &settings->stripped_characters, error) &&
           make_characters(conf->message_reject_characters, "message_reject_characters",
                           &settings->rejected_characters, error);
}
