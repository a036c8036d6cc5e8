/* tlsrpt/result - what a TLS session came to, and by which policy, in the words of reports
 * (RFC 8460 sections 4.3 and 4.4). Pure. Callers: lib/sts, lib/report, reportd. */
#ifndef TLSRPT_RESULT_H
#define TLSRPT_RESULT_H

#include "base/span.h"

enum tlsrpt_result {
    TLSRPT_SUCCESS,
    TLSRPT_STARTTLS_NOT_SUPPORTED,
    TLSRPT_CERTIFICATE_HOST_MISMATCH,
    TLSRPT_CERTIFICATE_EXPIRED,
    TLSRPT_CERTIFICATE_NOT_TRUSTED,
    TLSRPT_VALIDATION_FAILURE, /* none of the others; the reason says what */
    TLSRPT_TLSA_INVALID,
    TLSRPT_DNSSEC_INVALID,
    TLSRPT_DANE_REQUIRED,
    TLSRPT_STS_POLICY_FETCH_ERROR,
    TLSRPT_STS_POLICY_INVALID,
    TLSRPT_STS_WEBPKI_INVALID,
    TLSRPT_RESULT_COUNT
};

enum tlsrpt_policy_type {
    TLSRPT_NO_POLICY_FOUND,
    TLSRPT_STS,
    TLSRPT_TLSA,
    TLSRPT_POLICY_TYPE_COUNT
};

/* "certificate-expired" and so on; "success" of TLSRPT_SUCCESS, which no report mentions. */
MUST_USE const char *tlsrpt_result_name(enum tlsrpt_result result);
/* False when there is none of that name. */
MUST_USE bool tlsrpt_result_from_name(struct span name, enum tlsrpt_result *result);
/* "no-policy-found", "sts", "tlsa". */
MUST_USE const char *tlsrpt_policy_type_name(enum tlsrpt_policy_type type);
MUST_USE bool tlsrpt_policy_type_from_name(struct span name, enum tlsrpt_policy_type *type);

#endif
