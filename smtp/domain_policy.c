/* smtp/domain_policy - see domain_policy.h. */
#include "domain_policy.h"

#include "resolve.h"
#include "tlsa.h"

enum { STS_TIMEOUT_MS = 90000, RECORDS_TEXT_MAX_BYTES = 16384 };

/* ---- DANE ---- */

/* DANE is not to be had. */
static bool do_without_dane(struct tls_wish *wish, enum tls_level instead, struct span reason,
                            struct failure *failure)
{
    if (wish->level == TLS_LEVEL_DANE_ONLY) {
        (void)protection_fail(failure, reason);
        failure->tls_result = TLSRPT_DANE_REQUIRED;
        return false;
    }
    wish->level = instead;
    return true;
}

static bool is_dane_possible(const struct agent *agent, const struct nexthop *nexthop,
                             const char **why_not)
{
    const struct conf_smtp *settings = agent->settings;
    *why_not = NULL;
    if (!span_is_empty(nexthop->path))
        *why_not = "a Unix socket";
    else if (resolve_is_without_dns(settings) ||
             !span_equals_ascii_nocase(settings->smtp_dns_support_level, SPAN("dnssec")))
        *why_not = "configured with dnssec lookups disabled";
    else if (!agent->speaks_lmtp && settings->ignore_mx_lookup_error)
        *why_not = "configured with MX lookup errors ignored";
    return *why_not == NULL;
}

/* RFC 7672 section 3.2.2: whom a certificate may be made out to that a record of usage 2 vouches
 * for. */
static bool add_dane_names(const struct nexthop *nexthop, const struct plan_target *target,
                           struct span base_domain, struct arena *arena, struct tls_wish *wish)
{
    struct span *names = arena_alloc(arena, 3 * sizeof(*names));
    if (!names)
        return false;
    names[wish->name_count++] = base_domain;
    if (target->is_mx)
        names[wish->name_count++] = nexthop->host;
    if (target->is_mx && !span_is_empty(target->domain_canonical_name) && target->is_mx_secure)
        names[wish->name_count++] = target->domain_canonical_name;
    wish->names = names;
    return true;
}

static enum tls_level insecure_mx_level(const struct conf_smtp *settings)
{
    enum tls_level level = TLS_LEVEL_MAY;
    return tls_level_from_name(settings->smtp_tls_dane_insecure_mx_policy, &level) ? level
                                                                                   : TLS_LEVEL_MAY;
}

/* RFC 8460 section 4.5: "3 1 1 AB12...". NULL bytes: memory is out. */
static struct span format_records(const struct tlsa *tlsa, struct arena *arena)
{
    struct buffer text;
    buffer_init(&text, arena, RECORDS_TEXT_MAX_BYTES);
    for (size_t i = 0; i < tlsa->count; i++) {
        const struct tls_dane_record *record = &tlsa->records[i];
        buffer_append_format(&text, "%s%u %u %u ", i ? "\n" : "", (unsigned)record->usage,
                             (unsigned)record->selector, (unsigned)record->matching_type);
        for (size_t j = 0; j < record->data.length; j++)
            buffer_append_format(&text, "%02X", (unsigned)record->data.bytes[j]);
    }
    return buffer_ok(&text) ? buffer_span(&text) : span_empty();
}

bool domain_policy_apply_dane(struct agent *agent, const struct nexthop *nexthop,
                              const struct plan_target *target, struct arena *arena,
                              struct protection *protection, struct failure *failure)
{
    struct tls_wish *wish = &protection->wish;
    const struct conf_smtp *settings = agent->settings;
    const bool is_mx_insecure = target->is_mx && !target->is_mx_secure;
    const enum tls_level insecure_level = insecure_mx_level(settings);
    const char *why_not;
    struct tlsa tlsa;
    if (!is_dane_possible(agent, nexthop, &why_not)) {
        const struct span text = arena_format(arena, "%.*s: %s %s", SPAN_PRINTF(nexthop->host),
                                              tls_level_name(wish->level), why_not);
        if (text.bytes)
            maillog_text(agent->log, LOG_LEVEL_WARNING, span_empty(), "%.*s", SPAN_PRINTF(text));
        return do_without_dane(wish, TLS_LEVEL_MAY, text, failure);
    }
    if (is_mx_insecure && (wish->level == TLS_LEVEL_DANE_ONLY || insecure_level <= TLS_LEVEL_MAY))
        return do_without_dane(wish, insecure_level, SPAN("non DNSSEC destination"), failure);
    tlsa_look_up(&agent->dns, target, settings->smtp_tls_force_insecure_host_tlsa_lookup,
                 &agent->tls->dane_digests, arena, &tlsa);
    switch (tlsa.status) {
    case TLSA_FAILED:
        (void)protection_fail(failure,
                              arena_format(arena, "TLSA lookup error for %.*s:%u",
                                           SPAN_PRINTF(target->host), (unsigned)target->port));
        failure->tls_result = TLSRPT_DNSSEC_INVALID;
        return false;
    case TLSA_NONE:
        return do_without_dane(wish, TLS_LEVEL_MAY, SPAN("no TLSA records found"), failure);
    case TLSA_UNUSABLE: /* RFC 7672 section 2.2: who publishes some has TLS */
        return do_without_dane(wish, TLS_LEVEL_ENCRYPT, SPAN("TLSA records unusable"), failure);
    case TLSA_FOUND:
        break;
    }
    protection->policy_type = TLSRPT_TLSA;
    protection->policy_domain = tlsa.base_domain;
    protection->policy_text = format_records(&tlsa, arena);
    if (is_mx_insecure && insecure_level == TLS_LEVEL_ENCRYPT) {
        wish->level = TLS_LEVEL_ENCRYPT;
        return true;
    }
    if (is_mx_insecure)
        wish->level = TLS_LEVEL_HALF_DANE;
    wish->records = tlsa.records;
    wish->record_count = tlsa.count;
    return add_dane_names(nexthop, target, tlsa.base_domain, arena, wish) ||
           protection_fail(failure, span_of(NULL, 0));
}

/* ---- MTA-STS ---- */

/* RFC 8461 section 4.2: a certificate that web PKI proves to be the MX host's own, which is asked
 * for by SNI. An asterisk is one label (section 4.1). */
static bool expect_host(const struct plan_target *target, unsigned name_rules, struct arena *arena,
                        struct tls_wish *wish)
{
    struct span *names = arena_alloc(arena, sizeof(*names));
    if (!names)
        return false;
    names[0] = target->host;
    wish->names = names;
    wish->name_count = 1;
    wish->server_name = target->host;
    wish->name_rules = name_rules;
    wish->trusts_web = true;
    return true;
}

static void ask_sts(struct agent *agent, const struct nexthop *nexthop, struct arena *arena,
                    struct protection_rules *rules)
{
    if (!rules->has_asked_sts)
        sts_lookup(&agent->sts, nexthop->host, clock_deadline_after(STS_TIMEOUT_MS), arena,
                   &rules->sts);
    rules->has_asked_sts = true;
}

static bool fail_sts_lookup(const struct nexthop *nexthop, const struct sts_policy *policy,
                            struct arena *arena, struct failure *failure)
{
    return protection_fail(failure,
                           arena_format(arena, "MTA-STS policy lookup error for %.*s: %.*s",
                                        SPAN_PRINTF(nexthop->host), SPAN_PRINTF(policy->reason)));
}

/* Is it known which hosts may take the mail? */
static bool is_host_vouched_for(const struct plan_target *target,
                                const struct protection_rules *rules)
{
    const struct sts_policy *policy = &rules->sts;
    return !target->is_mx || target->is_mx_secure ||
           (rules->has_asked_sts &&
            (policy->state == STS_ENFORCE || policy->state == STS_TESTING) &&
            sts_permits(policy, target->host));
}

bool domain_policy_require(struct agent *agent, const struct nexthop *nexthop,
                           const struct plan_target *target, struct arena *arena,
                           struct protection_rules *rules, struct protection *protection,
                           struct failure *failure)
{
    struct tls_wish *wish = &protection->wish;
    if (!tls_client_has_web(agent->tls)) /* no fault of the server's */
        return protection_fail(failure, SPAN("TLS is required, but this system has no "
                                             "certification authorities"));
    if (target->is_mx && !target->is_mx_secure && rules->follows_sts) {
        ask_sts(agent, nexthop, arena, rules);
        if (rules->sts.state == STS_UNKNOWN)
            return fail_sts_lookup(nexthop, &rules->sts, arena, failure);
    }
    if (!is_host_vouched_for(target, rules)) {
        (void)protection_fail(
            failure,
            arena_format(arena,
                         "TLS is required, but neither DNSSEC nor MTA-STS says that %.*s may "
                         "take mail for %.*s",
                         SPAN_PRINTF(target->host), SPAN_PRINTF(nexthop->host)));
        failure->outcome.status.detail = 10; /* RFC 7372: encryption needed */
        failure->bounces_at_end = true;
        return false;
    }
    if (wish->level == TLS_LEVEL_HALF_DANE)
        return true; /* the policy names the host, and DANE vouches for its key */
    wish->level = TLS_LEVEL_SECURE;
    /* RFC 8689 section 4.2.1 takes a common name as well; a policy never does. */
    const unsigned name_rules =
        rules->has_asked_sts && rules->sts.state != STS_NONE ? TLS_NAME_NEVER_COMMON : 0;
    return expect_host(target, name_rules, arena, wish) ||
           protection_fail(failure, span_of(NULL, 0));
}

bool domain_policy_apply_sts(struct agent *agent, const struct nexthop *nexthop,
                             const struct plan_target *target, struct arena *arena,
                             struct protection_rules *rules, struct protection *protection,
                             struct failure *failure)
{
    struct sts_policy *policy = &rules->sts;
    ask_sts(agent, nexthop, arena, rules);
    protection->policy_failure = policy->failure;
    protection->policy_failure_reason = policy->reason;
    if (policy->state == STS_NONE)
        return true;
    if (policy->state == STS_UNKNOWN)
        return fail_sts_lookup(nexthop, policy, arena, failure);
    const bool is_permitted = sts_permits(policy, target->host);
    /* Who the host is DANE tells better, and nothing may override what it says (section 2); that
     * the host is one of the domain's it cannot tell, where MX records are insecure. */
    if (protection->wish.level == TLS_LEVEL_HALF_DANE &&
        (is_permitted || policy->state == STS_TESTING))
        return true;
    /* Our own trouble: nothing to report to the domain, and no way round what it enforces. */
    if (!tls_client_has_web(agent->tls))
        return policy->state == STS_TESTING ||
               protection_fail(failure,
                               arena_format(arena,
                                            "MTA-STS policy of %.*s cannot be followed: this "
                                            "system has no certification authorities",
                                            SPAN_PRINTF(nexthop->host)));
    protection->policy_type = TLSRPT_STS;
    protection->policy_domain = nexthop->host;
    protection->policy_text = policy->policy.text;
    /* Section 4.1: matching is by DNS-ID alone. */
    if (!expect_host(target, TLS_NAME_NEVER_COMMON, arena, &protection->wish))
        return protection_fail(failure, span_of(NULL, 0));
    if (policy->state == STS_TESTING) {
        protection->is_host_refused = !is_permitted; /* to be told, and no more */
        return true;
    }
    protection->wish.level = TLS_LEVEL_SECURE;
    if (is_permitted)
        return true;
    (void)protection_fail(failure,
                          arena_format(arena, "MTA-STS policy of %.*s does not name host %.*s",
                                       SPAN_PRINTF(nexthop->host), SPAN_PRINTF(target->host)));
    failure->tls_result = TLSRPT_VALIDATION_FAILURE;
    return false;
}
