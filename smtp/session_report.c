/* smtp/session_report - see session_report.h. */
#include "session_report.h"

enum tlsrpt_result session_report_judge(const struct tls_peer *peer, enum tls_level level)
{
    if (tls_level_is_dane(level))
        return TLSRPT_VALIDATION_FAILURE;
    switch (peer->problem.error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
        return TLSRPT_CERTIFICATE_HOST_MISMATCH;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return TLSRPT_CERTIFICATE_EXPIRED;
    default:
        return TLSRPT_CERTIFICATE_NOT_TRUSTED;
    }
}

/* Of a session that came about. */
static enum tlsrpt_result judge_session(const struct connection *connection,
                                        const struct protection *protection)
{
    const struct tls_peer *peer = connection->tls;
    if (!peer)
        return TLSRPT_STARTTLS_NOT_SUPPORTED;
    if (protection->is_host_refused)
        return TLSRPT_VALIDATION_FAILURE;
    /* A policy that is tested: what would have happened. */
    if (protection->policy_type == TLSRPT_STS && !peer->is_proven)
        return session_report_judge(peer, protection->wish.level);
    return TLSRPT_SUCCESS;
}

static struct span reason_of(const struct connection *connection,
                             const struct protection *protection, const struct failure *failure,
                             enum tlsrpt_result result)
{
    if (!connection)
        return failure->tls_reason.bytes ? failure->tls_reason : failure->outcome.reason;
    if (result == TLSRPT_SUCCESS || !connection->tls)
        return span_empty();
    if (protection->is_host_refused)
        return SPAN("the policy does not name the host");
    return span_from_string(X509_verify_cert_error_string(connection->tls->problem.error));
}

void session_report_send(struct agent *agent, const struct nexthop *nexthop,
                         const struct plan_target *target, const struct protection *protection,
                         const struct connection *connection, const struct failure *failure)
{
    char address[IP_ADDRESS_TEXT_MAX_BYTES], own_address[IP_ADDRESS_TEXT_MAX_BYTES];
    const struct ip_address *own =
        connection ? &connection->local_address : &failure->local_address;
    struct tls_report report = {
        .domain = nexthop->host,
        .policy_type = protection->policy_type,
        .policy_domain = protection->policy_domain,
        .policy = protection->policy_text,
        .sending_ip =
            own->family == IP_FAMILY_NONE ? span_empty() : ip_address_format(own, own_address),
        .receiving_host = target->host,
        .receiving_helo = connection ? connection->extensions.server_name : failure->server_name,
        .receiving_ip = ip_address_format(&target->address, address)};
    if (!agent->settings->smtp_tlsrpt_enable || protection->wish.level == TLS_LEVEL_NONE)
        return;
    if (protection->policy_failure != TLSRPT_SUCCESS) {
        struct tls_report of_policy = report;
        of_policy.policy_type = TLSRPT_STS;
        of_policy.policy_domain = nexthop->host;
        of_policy.result = protection->policy_failure;
        of_policy.reason = protection->policy_failure_reason;
        tls_report(&agent->reports, &of_policy);
    }
    /* That nobody answered is no matter of TLS. */
    if (!connection && failure->tls_result == TLSRPT_SUCCESS)
        return;
    report.result = connection ? judge_session(connection, protection) : failure->tls_result;
    report.reason = reason_of(connection, protection, failure, report.result);
    tls_report(&agent->reports, &report);
}
