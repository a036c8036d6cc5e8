/* smtpsession/ccert - what a client may do for the certificate that it has shown: words of the
 * lists of restrictions, and tables by fingerprint. See judge.h. */
#include "smtpsession/judge.h"
#include "tls/server.h"

enum { VALUE_MAX_BYTES = 8192 };

static const struct tls_certificate *certificate_of(const struct smtpsession *session)
{
    return session->tls ? session->tls->certificate : NULL;
}

enum table_result judge_try_certificate(struct judge_search *search)
{
    const struct tls_certificate *certificate = certificate_of(search->judge->session);
    enum table_result result = TABLE_NOT_FOUND;
    if (!certificate)
        return TABLE_NOT_FOUND;
    /* One that was renewed may have the key of before. An empty fingerprint is one that could not
     * be made, and no key. */
    const char *const fingerprints[] = {certificate->fingerprint, certificate->key_fingerprint};
    for (size_t i = 0; i < ARRAY_LENGTH(fingerprints) && result == TABLE_NOT_FOUND; i++)
        if (fingerprints[i][0])
            result = judge_try_key(search, span_from_string(fingerprints[i]));
    return result;
}

bool session_has_trusted_certificate(const struct smtpsession *session)
{
    const struct tls_certificate *certificate = certificate_of(session);
    return certificate && certificate->is_trusted;
}

/* That it is in the table is what counts, whoever has signed it. */
enum judge_ruling judge_listed_certificate(struct judge *judge)
{
    struct judge_search search;
    struct buffer value;
    judge_search_begin(&search, judge,
                       &judge->session->service->settings.restrictions.client_certificates, &value);
    buffer_init(&value, &judge->session->transaction_arena, VALUE_MAX_BYTES);
    switch (judge_search_end(&search, judge_try_certificate(&search), SPAN("relay_clientcerts"))) {
    case TABLE_FOUND:
        return JUDGE_PERMITS;
    case TABLE_NOT_FOUND:
        break;
    case TABLE_ERROR:
    case TABLE_WOULD_BLOCK:
        return judge_fail(judge, judge_subject_of_list(judge).name);
    }
    return JUDGE_GOES_ON;
}
