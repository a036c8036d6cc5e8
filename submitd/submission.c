/* submitd/submission - see submission.h. */
#include "submission.h"

#include "conf/submitd.h"
#include "smtpserver/server.h"

/* Nobody sends passwords, or mail, over a line that others can read (RFC 8314 section 3.3); and who
 * has not logged in sends nothing. These are no settings here. */
static void demand_login(struct conf_smtpd *conf)
{
    const struct span level = conf->smtpd_tls_security_level;
    conf->smtpd_sasl_auth_enable = true;
    conf->smtpd_tls_auth_only = true;
    if (span_is_empty(level) || span_equals(level, SPAN("none")))
        conf->smtpd_tls_security_level = SPAN("encrypt");
}

static void make_submission(const void *settings, struct smtpsession_settings *made)
{
    const struct conf_submitd *conf = settings;
    made->submission = (struct smtpsession_submission){
        .is_on = true,
        .checks_from = span_equals(conf->submitd_from_check, SPAN("login")),
        .hold_max_s = conf->submitd_hold_limit_ms / 1000,
        .has_deliver_by = conf->submitd_deliver_by,
        .deliver_by_min_s = conf->submitd_deliver_by_minimum_ms / 1000,
        .has_priority = conf->submitd_priority,
        .priority_max = (int)conf->submitd_priority_limit,
        .user_message_rate = conf->submitd_user_message_rate_limit,
        .user_recipient_rate = conf->submitd_user_recipient_rate_limit,
        .user_window_s = (uint32_t)(conf->submitd_user_rate_time_unit_ms / 1000),
    };
}

bool submission_prepare(struct service *service)
{
    struct conf_submitd *conf = service->settings;
    struct conf_submitd *stressed = service->stressed_settings;
    demand_login(&conf->smtpd);
    demand_login(&stressed->smtpd);
    return smtpserver_prepare_as(service, make_submission);
}
