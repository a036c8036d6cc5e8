/* smtp/protection - see protection.h. */
#include "protection.h"

#include <stdio.h>

#include "base/ascii.h"
#include "dnswire/name.h"
#include "domain_policy.h"

enum { LOOKUP_TIMEOUT_MS = 100000, NAMES_MAX = 32 };

static const char separators[] = ", \t\r\n";

/* ---- failures ---- */

/* RFC 3463 section 3.8: X.7.5, cryptographic failure. Mail waits until somebody mends it. */
bool protection_fail(struct failure *failure, struct span text)
{
    *failure = (struct failure){.outcome = outcome_make(OUTCOME_TEMPORARY, 0, 7, 5,
                                                        text.bytes ? text : SPAN("out of memory")),
                                .diagnostic = span_empty()};
    return false;
}

static bool fail_settings(const struct agent *agent, struct span destination, const char *problem,
                          struct failure *failure)
{
    maillog_text(agent->log, LOG_LEVEL_WARNING, span_empty(), "TLS policy for %.*s: %s",
                 SPAN_PRINTF(destination), problem);
    return protection_fail(failure, SPAN("client TLS configuration problem"));
}

/* ---- the rules of a next hop ---- */

/* smtp_tls_security_level, or what there was before it. */
static enum tls_level level_of_all(const struct conf_smtp *settings)
{
    enum tls_level level = TLS_LEVEL_NONE;
    if (tls_level_from_name(settings->smtp_tls_security_level, &level))
        return level;
    if (settings->smtp_enforce_tls)
        return settings->smtp_tls_enforce_peername ? TLS_LEVEL_VERIFY : TLS_LEVEL_ENCRYPT;
    return settings->smtp_use_tls ? TLS_LEVEL_MAY : TLS_LEVEL_NONE;
}

/* The next hop as it is written; as DNS has it, where that differs, since senders are free to write
 * a name either way; for a domain those above it, too: ".example.com". */
static size_t list_keys(struct span destination, struct arena *arena,
                        struct span keys[ADDR_FIND_KEYS_MAX])
{
    size_t count = 0;
    uint8_t *lower = arena_alloc(arena, destination.length);
    if (!lower)
        return 0;
    memcpy(lower, destination.bytes, destination.length);
    ascii_lower_in_place(lower, destination.length);
    destination = span_of(lower, destination.length);
    keys[count++] = destination;
    if (!ascii_is_all_ascii(destination)) {
        struct span ascii;
        const enum parse_result result = nexthop_to_ascii(destination, arena, &ascii);
        if (result == PARSE_OK)
            keys[count++] = destination = ascii;
        else if (result == PARSE_TOO_LONG)
            return 0;
    }
    if (!dns_name_is_mail_host(destination))
        return count;
    while (count < ADDR_FIND_KEYS_MAX) {
        const size_t dot = span_find_byte(span_after(destination, 1), '.') + 1;
        if (dot >= destination.length)
            break;
        destination = span_after(destination, dot);
        keys[count++] = destination;
    }
    return count;
}

static bool read_entry(struct agent *agent, struct span destination, struct arena *arena,
                       struct protection_rules *rules, struct failure *failure)
{
    struct tls_policy *policy = &rules->policy;
    struct span keys[ADDR_FIND_KEYS_MAX], value;
    char problem[TLS_POLICY_PROBLEM_BYTES];
    const size_t count = list_keys(destination, arena, keys);
    if (count == 0)
        return protection_fail(failure, span_of(NULL, 0));
    const struct outcome outcome = addr_find(
        &agent->addr, agent->speaks_lmtp ? ADDR_TABLE_LMTP_TLS_POLICY : ADDR_TABLE_SMTP_TLS_POLICY,
        keys, count, clock_deadline_after(LOOKUP_TIMEOUT_MS), arena, &value);
    if (!outcome_is_ok(&outcome))
        return fail_settings(agent, destination, "the table cannot be asked", failure);
    rules->has_entry = !span_is_empty(value);
    if (!rules->has_entry || tls_policy_parse(value, arena, policy, problem) == PARSE_OK)
        return true;
    return fail_settings(agent, destination, problem, failure);
}

/* What is excluded where TLS must be had, beside what is excluded anyhow. NULL bytes: memory is
 * out. */
static struct span exclusions(const struct conf_smtp *settings, bool is_mandatory,
                              struct arena *arena)
{
    const struct span further =
        is_mandatory ? settings->smtp_tls_mandatory_exclude_ciphers : span_empty();
    return arena_format(arena, "%.*s %.*s", SPAN_PRINTF(settings->smtp_tls_exclude_ciphers),
                        SPAN_PRINTF(further));
}

/* What the entry leaves open the settings say. */
static void complete(const struct conf_smtp *settings, struct tls_policy *policy)
{
    if (!policy->matches.bytes)
        policy->matches =
            policy->level == TLS_LEVEL_FINGERPRINT ? settings->smtp_tls_fingerprint_cert_match
            : policy->level == TLS_LEVEL_VERIFY    ? settings->smtp_tls_verify_cert_match
                                                   : settings->smtp_tls_secure_cert_match;
    if (!policy->server_name.bytes)
        policy->server_name = settings->smtp_tls_servername;
    if (!policy->anchor_files.bytes)
        policy->anchor_files = settings->smtp_tls_trust_anchor_file;
}

static bool digest_rules(struct protection_rules *rules)
{
    const struct tls_policy *policy = &rules->policy;
    const struct span names[] = {policy->matches, policy->anchor_files};
    const struct tls_wish wish = {.level = policy->level,
                                  .protocols = policy->protocols,
                                  .ciphers = policy->ciphers,
                                  .exclusions = policy->exclusions,
                                  .server_name = policy->server_name,
                                  .names = names,
                                  .name_count = ARRAY_LENGTH(names),
                                  .fingerprints = span_empty()};
    tls_wish_digest(&wish, rules->digest);
    rules->digest[0] ^= (uint8_t)rules->request; /* what is kept for one is for no other */
    return true;
}

/* Nothing has said yet who the host must be, or that it is one of the domain's: an MX record that
 * nobody vouches for may name any host, with TLSA records of its own. */
static bool leaves_room_for_sts(const struct protection_rules *rules, enum tls_level level)
{
    return rules->follows_sts && rules->request != PROTECTION_REQUIRED &&
           (level == TLS_LEVEL_MAY || level == TLS_LEVEL_ENCRYPT || level == TLS_LEVEL_HALF_DANE);
}

static bool has_sites(const struct conf_smtp *settings)
{
    return !span_is_empty(settings->smtp_tls_per_site) &&
           span_is_empty(settings->smtp_tls_policy_maps);
}

bool protection_find_rules(struct agent *agent, const struct nexthop *nexthop,
                           struct span destination, enum protection_request request,
                           struct arena *arena, struct protection_rules *rules,
                           struct failure *failure)
{
    const struct conf_smtp *settings = agent->settings;
    struct tls_policy *policy = &rules->policy;
    *rules = (struct protection_rules){.policy.level = level_of_all(settings), .request = request};
    if (!span_is_empty(settings->smtp_tls_policy_maps) &&
        !read_entry(agent, destination, arena, rules, failure))
        return false;
    if (request == PROTECTION_OPTIONAL && policy->level == TLS_LEVEL_DANE)
        policy->level = TLS_LEVEL_MAY;
    rules->follows_sts = settings->smtp_tls_mta_sts && request != PROTECTION_OPTIONAL &&
                         (!rules->has_entry || policy->level == TLS_LEVEL_DANE) &&
                         !nexthop->is_host && nexthop->address.family == IP_FAMILY_NONE &&
                         span_is_empty(nexthop->path);
    /* On this machine nobody listens; who wants it all the same says so. */
    if (!span_is_empty(nexthop->path) && policy->level == TLS_LEVEL_MAY)
        policy->level = TLS_LEVEL_NONE;
    rules->depends_on_host = tls_level_is_dane(policy->level) || has_sites(settings) ||
                             leaves_room_for_sts(rules, policy->level) ||
                             request == PROTECTION_REQUIRED;
    complete(settings, policy);
    rules->allows_reuse = policy->has_connection_reuse ? policy->connection_reuse
                                                       : settings->smtp_tls_connection_reuse;
    return digest_rules(rules);
}

/* ---- a host ---- */

/* NONE counts more than MAY; else the stronger counts. */
static unsigned site_weight(enum tls_level level)
{
    return level == TLS_LEVEL_MAY ? 1 : level == TLS_LEVEL_NONE ? 2 : 2 + (unsigned)level;
}

/* smtp_tls_per_site: by next hop and by host; what is said of both is weighed. */
static bool apply_site(struct agent *agent, struct span name, struct arena *arena,
                       enum tls_level *level, bool *is_found, struct failure *failure)
{
    enum tls_level said;
    struct span value;
    const struct outcome outcome = addr_find(
        &agent->addr, agent->speaks_lmtp ? ADDR_TABLE_LMTP_TLS_SITE : ADDR_TABLE_SMTP_TLS_SITE,
        &name, 1, clock_deadline_after(LOOKUP_TIMEOUT_MS), arena, &value);
    if (!outcome_is_ok(&outcome))
        return fail_settings(agent, name, "the table cannot be asked", failure);
    if (span_is_empty(value))
        return true;
    if (!tls_policy_from_site(value, &said))
        return fail_settings(agent, name, "NONE, MAY, MUST or MUST_NOPEERMATCH is needed", failure);
    if (!*is_found || site_weight(said) > site_weight(*level))
        *level = said;
    *is_found = true;
    return true;
}

static bool apply_sites(struct agent *agent, const struct nexthop *nexthop,
                        const struct plan_target *target, struct arena *arena,
                        enum tls_level *level, struct failure *failure)
{
    bool is_found = false;
    if (!has_sites(agent->settings))
        return true;
    return apply_site(agent, nexthop->host, arena, level, &is_found, failure) &&
           (span_equals_ascii_nocase(nexthop->host, target->host) ||
            apply_site(agent, target->host, arena, level, &is_found, failure));
}

/* hostname, nexthop, dot-nexthop, or a name. */
static bool add_names(struct span words, const struct nexthop *nexthop,
                      const struct plan_target *target, struct arena *arena, struct tls_wish *wish)
{
    struct span word, *names = arena_alloc(arena, NAMES_MAX * sizeof(*names));
    while (names && wish->name_count < NAMES_MAX && span_next_word(&words, separators, &word)) {
        if (span_equals_ascii_nocase(word, SPAN("hostname")))
            word = target->host;
        else if (span_equals_ascii_nocase(word, SPAN("nexthop")))
            word = nexthop->host;
        else if (span_equals_ascii_nocase(word, SPAN("dot-nexthop")))
            word = arena_format(arena, ".%.*s", SPAN_PRINTF(nexthop->host));
        if (!word.bytes)
            return false;
        names[wish->name_count++] = word;
    }
    wish->names = names;
    return names != NULL;
}

static struct span server_name(struct span word, const struct nexthop *nexthop,
                               const struct plan_target *target)
{
    if (span_equals_ascii_nocase(word, SPAN("hostname")))
        return target->host;
    return span_equals_ascii_nocase(word, SPAN("nexthop")) ? nexthop->host : word;
}

static bool add_anchors(struct agent *agent, struct span files, struct span destination,
                        struct arena *arena, struct tls_wish *wish, struct failure *failure)
{
    struct tls_dane_record *records = arena_alloc(arena, TLS_ANCHORS_MAX * sizeof(*records));
    struct span path;
    if (!records)
        return protection_fail(failure, span_of(NULL, 0));
    while (span_next_word(&files, separators, &path)) {
        const struct anchors_file *file = anchors_find(&agent->anchors, path);
        if (!file)
            return fail_settings(agent, destination,
                                 "a file of tafile= is not in tls_policy_trust_anchor_files",
                                 failure);
        for (size_t i = 0; i < file->count && wish->record_count < TLS_ANCHORS_MAX; i++)
            records[wish->record_count++] = file->records[i];
    }
    wish->records = records;
    return true;
}

/* Who it must be. */
static bool find_server(struct agent *agent, struct protection_rules *rules,
                        const struct nexthop *nexthop, const struct plan_target *target,
                        struct arena *arena, struct protection *protection, struct failure *failure)
{
    struct tls_wish *wish = &protection->wish;
    const struct conf_smtp *settings = agent->settings;
    const struct tls_policy *policy = &rules->policy;
    if (!apply_sites(agent, nexthop, target, arena, &wish->level, failure))
        return false;
    if (tls_level_is_dane(wish->level) &&
        !domain_policy_apply_dane(agent, nexthop, target, arena, protection, failure))
        return false;
    if (leaves_room_for_sts(rules, wish->level))
        return domain_policy_apply_sts(agent, nexthop, target, arena, rules, protection, failure);
    if (tls_level_is_dane(wish->level) &&
        (rules->request != PROTECTION_REQUIRED || wish->level != TLS_LEVEL_HALF_DANE))
        return true;
    if (rules->request == PROTECTION_REQUIRED &&
        (!tls_level_must_match(wish->level) || wish->level == TLS_LEVEL_HALF_DANE))
        return domain_policy_require(agent, nexthop, target, arena, rules, protection, failure);
    if (wish->level == TLS_LEVEL_FINGERPRINT)
        wish->fingerprints = policy->matches;
    if (!tls_level_is_pkix(wish->level))
        return true;
    if (!add_names(wish->level == policy->level ? policy->matches
                                                : settings->smtp_tls_verify_cert_match,
                   nexthop, target, arena, wish))
        return protection_fail(failure, span_of(NULL, 0));
    return span_is_empty(policy->anchor_files) ||
           add_anchors(agent, policy->anchor_files, nexthop->host, arena, wish, failure);
}

/* By which protocols and ciphers: what DANE has come to counts, too. */
static bool set_strength(const struct agent *agent, const struct tls_policy *policy,
                         struct span destination, struct arena *arena, struct tls_wish *wish,
                         struct failure *failure)
{
    const struct conf_smtp *settings = agent->settings;
    const bool is_mandatory = tls_level_is_mandatory(wish->level);
    char problem[TLS_POLICY_PROBLEM_BYTES];
    struct span bad_word;
    wish->protocols = policy->protocols;
    wish->ciphers = policy->ciphers;
    wish->exclusions = policy->exclusions;
    if (!wish->protocols.bytes && is_mandatory)
        wish->protocols = settings->smtp_tls_mandatory_protocols;
    if (!wish->ciphers.bytes && is_mandatory)
        wish->ciphers = settings->smtp_tls_mandatory_ciphers;
    if (!wish->exclusions.bytes)
        wish->exclusions = exclusions(settings, is_mandatory, arena);
    if (!wish->exclusions.bytes)
        return protection_fail(failure, span_of(NULL, 0));
    if (tls_wish_check(wish, &bad_word))
        return true;
    (void)snprintf(problem, sizeof(problem), "\"%.*s\" is no protocol or cipher",
                   SPAN_PRINTF(span_first(bad_word, TLS_POLICY_PROBLEM_BYTES / 2)));
    return fail_settings(agent, destination, problem, failure);
}

static bool find_wish(struct agent *agent, struct protection_rules *rules,
                      const struct nexthop *nexthop, const struct plan_target *target,
                      struct arena *arena, struct protection *protection, struct failure *failure)
{
    const struct tls_policy *policy = &rules->policy;
    struct tls_wish *wish = &protection->wish;
    *wish = (struct tls_wish){.level = policy->level,
                              .server_name = server_name(policy->server_name, nexthop, target),
                              .name_rules = agent->settings->tls_wildcard_matches_multiple_labels
                                                ? TLS_NAME_WILDCARD_IS_MANY
                                                : 0,
                              .fingerprints = span_empty(),
                              .fingerprint_digest = agent->fingerprint_digest};
    return find_server(agent, rules, nexthop, target, arena, protection, failure) &&
           set_strength(agent, policy, nexthop->host, arena, wish, failure);
}

bool protection_for_target(struct agent *agent, struct protection_rules *rules,
                           const struct nexthop *nexthop, const struct plan_target *target,
                           struct arena *arena, struct protection *protection,
                           struct failure *failure)
{
    *protection =
        (struct protection){.allows_reuse = rules->allows_reuse,
                            .is_required_by_message = rules->request == PROTECTION_REQUIRED,
                            .policy_domain = span_empty(),
                            .policy_text = span_empty(),
                            .policy_failure_reason = span_empty()};
    if (!find_wish(agent, rules, nexthop, target, arena, protection, failure))
        return false;
    if (agent->settings->smtp_tls_wrappermode && !tls_level_is_mandatory(protection->wish.level)) {
        const char *name = agent->speaks_lmtp ? "lmtp" : "smtp";
        maillog_text(
            agent->log, LOG_LEVEL_WARNING, span_empty(),
            "%s_tls_wrappermode requires \"%s_tls_security_level = encrypt\" (or stronger)", name,
            name);
        return protection_fail(failure, SPAN("client TLS configuration problem"));
    }
    memcpy(protection->rules_digest, rules->digest, sizeof(protection->rules_digest));
    tls_wish_digest(&protection->wish, protection->digest);
    return true;
}

struct protection protection_none(void)
{
    struct protection protection = {.wish = {.level = TLS_LEVEL_NONE,
                                             .server_name = span_empty(),
                                             .fingerprints = span_empty()},
                                    .destination = span_empty(),
                                    .policy_domain = span_empty(),
                                    .policy_text = span_empty(),
                                    .policy_failure_reason = span_empty()};
    tls_wish_digest(&protection.wish, protection.digest);
    /* What went plain for once is for no other delivery. */
    memset(protection.rules_digest, UINT8_MAX, sizeof(protection.rules_digest));
    return protection;
}
