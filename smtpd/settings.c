/* smtpd/settings - see settings.h. */
#include "settings.h"

/* No client waits longer than this for qmgr: RFC 5321 section 4.5.3.2.6 gives ten minutes to the
 * answer after the last dot. */
enum { QUEUE_TIMEOUT_MAX_MS = 300000 };

static bool has_word(struct span list, struct span wanted)
{
    struct span word;
    while (span_next_word(&list, ", \t", &word))
        if (span_equals_ascii_nocase(word, wanted))
            return true;
    return false;
}

bool smtpd_settings_make(const struct conf_smtpd *conf, struct arena *arena,
                         struct smtpsession_settings *settings, struct span *bad_word)
{
    *settings = (struct smtpsession_settings){
        .server_name = conf->myhostname,
        .banner = conf->smtpd_banner,
        .software = conf->mail_name,
        .completion =
            {
                .myorigin = conf->myorigin,
                .mydomain = conf->mydomain,
                .append_at_myorigin = conf->append_at_myorigin,
                .append_dot_mydomain = conf->append_dot_mydomain,
                .allow_percent_hack = conf->allow_percent_hack,
            },
        .timeout_ms = conf->smtpd_timeout_ms,
        .error_sleep_ms = conf->smtpd_error_sleep_time_ms,
        .queue_timeout_ms = conf->ipc_timeout_ms < QUEUE_TIMEOUT_MAX_MS ? conf->ipc_timeout_ms
                                                                        : QUEUE_TIMEOUT_MAX_MS,
        .line_length_limit =
            conf->line_length_limit < LOOP_BLOCK_BYTES ? conf->line_length_limit : LOOP_BLOCK_BYTES,
        .header_size_limit = (size_t)conf->header_size_limit,
        .message_size_limit = conf->message_size_limit,
        .hopcount_limit = conf->hopcount_limit,
        .recipient_limit = conf->smtpd_recipient_limit,
        .recipient_overshoot_limit = conf->smtpd_recipient_overshoot_limit,
        .soft_error_limit = conf->smtpd_soft_error_limit,
        .hard_error_limit = conf->smtpd_hard_error_limit,
        .junk_command_limit = conf->smtpd_junk_command_limit,
        .bare_newline_reject_code = (uint16_t)conf->smtpd_forbid_bare_newline_reject_code,
        .relay_reject_code = (uint16_t)conf->relay_domains_reject_code,
        .is_vrfy_disabled = conf->disable_vrfy_command,
        .is_helo_required = conf->smtpd_helo_required,
        .has_strict_envelopes = conf->strict_rfc821_envelopes,
        .forbids_early_pipelining = conf->smtpd_forbid_unauth_pipelining,
        .logs_client_port = conf->smtpd_client_port_logging,
        .looks_up_client = conf->smtpd_peername_lookup,
        .has_soft_bounce = conf->soft_bounce,
        .has_smtputf8 = conf->smtputf8_enable,
        .has_strict_smtputf8 = conf->strict_smtputf8,
        .detects_smtputf8 = has_word(conf->smtputf8_autodetect_classes, SPAN("smtpd")) ||
                            has_word(conf->smtputf8_autodetect_classes, SPAN("all")),
        .discarded_ehlo_keywords = conf->smtpd_discard_ehlo_keywords,
        .noop_commands = conf->smtpd_noop_commands,
        .forbidden_commands = conf->smtpd_forbidden_commands,
    };
    return ip_network_list_parse(conf->mynetworks, arena, &settings->trusted_networks, bad_word) ==
           PARSE_OK;
}
