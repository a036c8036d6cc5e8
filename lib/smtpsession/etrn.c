/* smtpsession/etrn - ETRN: a site that was away asks for its mail (RFC 1985). Answers have no
 * enhanced status, as in Postfix. See session_private.h. */
#include "smtpsession/session_private.h"

/* The list has the domain, or one that it is below. */
static bool is_served(const struct smtpsession_settings *settings, struct span domain)
{
    const struct ip_address nowhere = {.family = IP_FAMILY_NONE};
    while (settings->flush_domains && domain.length) {
        if (client_list_has(settings->flush_domains, domain, &nowhere))
            return true;
        domain = span_after(domain, span_find_byte(domain, '.') + 1);
    }
    return false;
}

static bool refuse(struct smtpsession *session, uint16_t code, const char *text)
{
    session_reply_plain(session, code, span_from_string(text));
    return false;
}

/* Those about the client and its name, too, where they were put off. */
static bool is_permitted(struct smtpsession *session)
{
    unsigned lists = 1U << SMTPSESSION_LIST_ETRN;
    struct outcome refusal;
    if (session->service->settings.restrictions.delays_reject)
        lists |= 1U << SMTPSESSION_LIST_CLIENT | 1U << SMTPSESSION_LIST_HELO;
    if (session_judge(session, "ETRN", lists, NULL, NULL, &refusal))
        return true;
    session_refuse(session, "ETRN", &refusal, NULL);
    return false;
}

bool session_etrn(struct smtpsession *session, struct span argument)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    struct ip_address literal;
    struct span domain;
    if (settings->is_helo_required && session->helo.length == 0)
        return refuse(session, 503, "Error: send HELO/EHLO first");
    if (session->transaction.is_open)
        return refuse(session, 503, "Error: MAIL transaction in progress");
    if (!span_next_word(&argument, " ", &domain) || span_next_word(&argument, " ", &argument))
        return refuse(session, 500, "Syntax: ETRN domain");
    /* RFC 1985 section 5.3: "@" asks for all below the domain, too, "#" names a queue. */
    if (domain.bytes[0] == '@' || domain.bytes[0] == '#')
        domain = span_after(domain, 1);
    if (address_domain_check(domain, 0) != PARSE_OK && !address_literal_parse(domain, &literal))
        return refuse(session, 501, "Error: invalid parameter syntax");
    if (!is_permitted(session))
        return false;
    if (!is_served(settings, domain)) {
        const struct span text = arena_format(&session->transaction_arena,
                                              "<%.*s>: service unavailable", SPAN_PRINTF(domain));
        maillog_etrn_refused(session->service->log, domain, &session->peer);
        session_reply_plain(session, 459, text.bytes ? text : SPAN("service unavailable"));
        return false;
    }
    const struct outcome outcome =
        intake_flush_site(session->service->intake, domain, &session->transaction_arena,
                          clock_deadline_after(settings->queue_timeout_ms));
    if (!outcome_is_ok(&outcome))
        return refuse(session, 458, "Unable to queue messages");
    session_reply_plain(session, 250, SPAN("Queuing started"));
    return true;
}
