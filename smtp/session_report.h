/* smtp/session_report - what TLS came to in a session, for those who want to hear of it (RFC 8460).
 * Interface: session_report_send(), session_report_judge(). Callers: smtp/delivery, smtp/starttls.
 */
#ifndef SMTP_SESSION_REPORT_H
#define SMTP_SESSION_REPORT_H

#include "agent.h"
#include "nexthop.h"

/* What is to be said of a certificate that is not good enough: RFC 8460 section 4.3.2.1. */
MUST_USE enum tlsrpt_result session_report_judge(const struct tls_peer *peer, enum tls_level level);

/* After each attempt to open a session. connection: NULL when it failed, and *failure says why. */
void session_report_send(struct agent *agent, const struct nexthop *nexthop,
                         const struct plan_target *target, const struct protection *protection,
                         const struct connection *connection, const struct failure *failure);

#endif
