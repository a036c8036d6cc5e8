/* report/client - tell reportd what TLS sessions came to, for TLSRPT (RFC 8460).
 * Interface: report_client_init(), report_client_attach(), tls_report(). Nobody waits and nothing
 * fails: what cannot be told is not counted. Callers: smtp. */
#ifndef REPORT_CLIENT_H
#define REPORT_CLIENT_H

#include "ipc/channel.h"
#include "tlsrpt/result.h"

struct report_client {
    struct loop *loop;
    struct ipc_channel *channel; /* NULL while there is none: then nothing is counted */
};

/* One session under one policy; a session in which several things failed, or to which an MTA-STS
 * and a DANE policy apply, is several. Texts that are not known stay empty; all are copied. */
struct tls_report {
    struct span domain; /* the recipients' domain or the configured relay: who is to hear of it */
    enum tlsrpt_policy_type policy_type;
    struct span policy_domain; /* whose policy it is: the TLSA base domain; empty: the domain */
    /* One string a line, LF between them: of MTA-STS sts_policy.policy.text, of DANE the records as
     * "3 1 1 HEX" (RFC 8460 section 4.5). */
    struct span policy;
    enum tlsrpt_result result;
    struct span sending_ip;     /* without brackets */
    struct span receiving_host; /* the MX host's name */
    struct span receiving_helo; /* what it called itself */
    struct span receiving_ip;
    struct span reason; /* failure-reason-code, a short text */
};

void report_client_init(struct report_client *client, struct loop *loop);
/* Takes over a channel end to reportd in place of the one before. */
void report_client_attach(struct report_client *client, int descriptor);
/* From anywhere. Cheap: what is told in one turn of the loop leaves together. */
void tls_report(struct report_client *client, const struct tls_report *report);

#endif
