/* smtp/protection - see protection.h. */
#include "protection.h"

/* X.7.5: what is written makes no sense; mail waits until it does. */
static bool fail(struct failure *failure, uint16_t detail, struct span text)
{
    *failure = (struct failure){.outcome = outcome_make(OUTCOME_TEMPORARY, 0, 7, detail,
                                                        text.bytes ? text : SPAN("out of memory")),
                                .diagnostic = span_empty()};
    return false;
}

struct protection protection_none(void)
{
    struct protection protection = {.wish = {.level = TLS_LEVEL_NONE,
                                             .server_name = span_empty(),
                                             .fingerprints = span_empty()},
                                    .destination = span_empty()};
    tls_wish_digest(&protection.wish, protection.digest);
    /* What went plain for once is for no other delivery. */
    memset(protection.rules_digest, UINT8_MAX, sizeof(protection.rules_digest));
    return protection;
}

bool protection_find_rules(struct agent *agent, const struct nexthop *nexthop,
                           struct span destination, struct arena *arena,
                           struct protection_rules *rules, struct failure *failure)
{
    const struct conf_smtp *settings = agent->settings;
    (void)nexthop;
    (void)destination;
    (void)arena;
    *rules = (struct protection_rules){.allows_reuse = settings->smtp_tls_connection_reuse};
    if (!tls_level_from_name(settings->smtp_tls_security_level, &rules->policy.level))
        return fail(failure, 5, SPAN("client TLS configuration problem"));
    return true;
}

bool protection_for_target(struct agent *agent, const struct protection_rules *rules,
                           const struct nexthop *nexthop, const struct plan_target *target,
                           struct arena *arena, struct protection *protection,
                           struct failure *failure)
{
    const struct conf_smtp *settings = agent->settings;
    (void)nexthop;
    (void)target;
    (void)arena;
    *protection = (struct protection){.wish.level = rules->policy.level,
                                      .wish.server_name = span_empty(),
                                      .wish.fingerprints = span_empty(),
                                      .allows_reuse = rules->allows_reuse};
    if (settings->smtp_tls_wrappermode && !tls_level_is_mandatory(protection->wish.level)) {
        maillog_text(
            agent->log, LOG_LEVEL_WARNING, span_empty(),
            "%s_tls_wrappermode requires \"%s_tls_security_level = encrypt\" (or stronger)",
            agent->speaks_lmtp ? "lmtp" : "smtp", agent->speaks_lmtp ? "lmtp" : "smtp");
        return fail(failure, 5, SPAN("client TLS configuration problem"));
    }
    memcpy(protection->rules_digest, rules->digest, sizeof(protection->rules_digest));
    tls_wish_digest(&protection->wish, protection->digest);
    return true;
}
