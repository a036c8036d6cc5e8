/* smtpserver/tls - see tls.h. */
#include "smtpserver/tls.h"

#include "tls/protocols.h"
#include "tls/server.h"

enum level { LEVEL_NONE, LEVEL_MAY, LEVEL_ENCRYPT };

static enum level level_of(const struct conf_smtpd *conf)
{
    const struct span level = conf->smtpd_tls_security_level;
    if (conf->smtpd_tls_wrappermode || span_equals(level, SPAN("encrypt")))
        return LEVEL_ENCRYPT;
    if (span_equals(level, SPAN("may")))
        return LEVEL_MAY;
    if (!span_is_empty(level))
        return LEVEL_NONE;
    if (conf->smtpd_enforce_tls)
        return LEVEL_ENCRYPT;
    return conf->smtpd_use_tls ? LEVEL_MAY : LEVEL_NONE;
}

bool smtpserver_tls_create(const struct conf_smtpd *conf, struct span service_name,
                           struct tls_server **server, struct conf_error *error)
{
    const enum level level = level_of(conf);
    const bool is_mandatory = level == LEVEL_ENCRYPT;
    *server = NULL;
    if (level == LEVEL_NONE)
        return true;
    const struct tls_server_settings settings = {
        .common =
            {
                .name = "smtpd_tls",
                .protocols =
                    is_mandatory ? conf->smtpd_tls_mandatory_protocols : conf->smtpd_tls_protocols,
                .unspoken = ~(unsigned)TLS_PROTOCOLS_SIGNED,
                .grade = is_mandatory ? conf->smtpd_tls_mandatory_ciphers : conf->smtpd_tls_ciphers,
                .excluded_ciphers = conf->smtpd_tls_exclude_ciphers,
                .also_excluded =
                    is_mandatory ? conf->smtpd_tls_mandatory_exclude_ciphers : span_empty(),
                .cipher_lists = {[TLS_GRADE_HIGH] = conf->tls_high_cipherlist,
                                 [TLS_GRADE_MEDIUM] = conf->tls_medium_cipherlist,
                                 [TLS_GRADE_LOW] = conf->tls_low_cipherlist,
                                 [TLS_GRADE_EXPORT] = conf->tls_export_cipherlist,
                                 [TLS_GRADE_NULL] = conf->tls_null_cipherlist},
                .curves = conf->tls_eecdh_auto_curves,
                .groups = conf->tls_ffdhe_auto_groups,
                .options = conf->tls_ssl_options,
                .disabled_workarounds = conf->tls_disable_workarounds,
            },
        .context_name = service_name,
        .session_lifetime_ms = conf->smtpd_tls_session_cache_timeout_ms,
        .asks_certificate = conf->smtpd_tls_ask_ccert || conf->smtpd_tls_req_ccert,
        .verify_depth = conf->smtpd_tls_ccert_verifydepth,
        .authorities = {.file = conf->smtpd_tls_CAfile,
                        .directory = conf->smtpd_tls_CApath,
                        .has_defaults = conf->tls_append_default_CA},
        .fingerprint_digest = conf->smtpd_tls_fingerprint_digest,
        .prefers_own_ciphers = conf->tls_preempt_cipherlist,
    };
    *server = tls_server_create(&settings, error);
    return *server != NULL;
}

void smtpserver_tls_use(const struct conf_smtpd *conf, struct tls_server *server,
                        struct smtpsession_settings *settings)
{
    const bool is_mandatory = level_of(conf) == LEVEL_ENCRYPT;
    settings->tls = server;
    settings->requires_tls = is_mandatory;
    settings->wraps_tls = conf->smtpd_tls_wrappermode;
    settings->needs_tls_for_auth = conf->smtpd_tls_auth_only;
    settings->asks_certificate = conf->smtpd_tls_ask_ccert || conf->smtpd_tls_req_ccert;
    /* Where TLS may be left out, so may the certificate: it would keep nobody away. */
    settings->needs_certificate = is_mandatory && conf->smtpd_tls_req_ccert;
    settings->shows_tls_in_received = conf->smtpd_tls_received_header;
    settings->tls_log_level = conf->smtpd_tls_loglevel;
    settings->starttls_timeout_ms = conf->smtpd_starttls_timeout_ms;
}
