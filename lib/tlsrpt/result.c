/* tlsrpt/result - see result.h. */
#include "tlsrpt/result.h"

static const char *const result_names[TLSRPT_RESULT_COUNT] = {
    [TLSRPT_SUCCESS] = "success",
    [TLSRPT_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
    [TLSRPT_CERTIFICATE_HOST_MISMATCH] = "certificate-host-mismatch",
    [TLSRPT_CERTIFICATE_EXPIRED] = "certificate-expired",
    [TLSRPT_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
    [TLSRPT_VALIDATION_FAILURE] = "validation-failure",
    [TLSRPT_TLSA_INVALID] = "tlsa-invalid",
    [TLSRPT_DNSSEC_INVALID] = "dnssec-invalid",
    [TLSRPT_DANE_REQUIRED] = "dane-required",
    [TLSRPT_STS_POLICY_FETCH_ERROR] = "sts-policy-fetch-error",
    [TLSRPT_STS_POLICY_INVALID] = "sts-policy-invalid",
    [TLSRPT_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
};

static const char *const type_names[TLSRPT_POLICY_TYPE_COUNT] = {
    [TLSRPT_NO_POLICY_FOUND] = "no-policy-found", [TLSRPT_STS] = "sts", [TLSRPT_TLSA] = "tlsa"};

/* -1 when it is not there. */
static int find(const char *const *names, int count, struct span name)
{
    for (int i = 0; i < count; i++)
        if (span_equals(name, span_from_string(names[i])))
            return i;
    return -1;
}

const char *tlsrpt_result_name(enum tlsrpt_result result)
{
    return (unsigned)result < TLSRPT_RESULT_COUNT ? result_names[result] : "unknown";
}

bool tlsrpt_result_from_name(struct span name, enum tlsrpt_result *result)
{
    const int found = find(result_names, TLSRPT_RESULT_COUNT, name);
    if (found >= 0)
        *result = (enum tlsrpt_result)found;
    return found >= 0;
}

const char *tlsrpt_policy_type_name(enum tlsrpt_policy_type type)
{
    return (unsigned)type < TLSRPT_POLICY_TYPE_COUNT ? type_names[type] : "unknown";
}

bool tlsrpt_policy_type_from_name(struct span name, enum tlsrpt_policy_type *type)
{
    const int found = find(type_names, TLSRPT_POLICY_TYPE_COUNT, name);
    if (found >= 0)
        *type = (enum tlsrpt_policy_type)found;
    return found >= 0;
}
