/* smtp/resolve - see resolve.h. */
#include "resolve.h"

#include "dns/hosts.h"
#include "hosts_file.h"
#include "system/random.h"

enum { LOOKUP_TIMEOUT_MS = 120000, SMTP_PORT = 25 };

static unsigned wanted_families(const struct conf_smtp *settings)
{
    struct span rest = settings->inet_protocols, word;
    unsigned wanted = 0;
    while (span_next_word(&rest, ", \t", &word)) {
        if (span_equals_ascii_nocase(word, SPAN("ipv4")))
            wanted |= DNS_WANT_IPV4;
        else if (span_equals_ascii_nocase(word, SPAN("ipv6")))
            wanted |= DNS_WANT_IPV6;
        else
            wanted |= DNS_WANT_IPV4 | DNS_WANT_IPV6;
    }
    return wanted ? wanted : DNS_WANT_IPV4 | DNS_WANT_IPV6;
}

static bool is_wanted(unsigned wanted, const struct ip_address *address)
{
    return (wanted & (address->family == IP_FAMILY_4 ? DNS_WANT_IPV4 : DNS_WANT_IPV6)) != 0;
}

static bool fail(struct failure *failure, enum outcome_kind kind, uint16_t subject, uint16_t detail,
                 struct span text)
{
    *failure = (struct failure){.outcome = outcome_make(kind, 0, subject, detail,
                                                        text.bytes ? text : SPAN("out of memory")),
                                .diagnostic = span_empty()};
    return false;
}

/* RFC 3463: X.4.4 unable to route, X.4.3 directory server failure. */
static bool fail_lookup(struct failure *failure, struct span name, uint16_t type,
                        enum dns_status status, const char *reason, struct arena *arena)
{
    const bool is_temporary = status == DNS_TEMPORARY;
    return fail(failure, is_temporary ? OUTCOME_TEMPORARY : OUTCOME_PERMANENT, 4,
                is_temporary ? 3 : 4,
                arena_format(arena,
                             "Host or domain name not found. Name service error for name=%.*s "
                             "type=%s: %s",
                             SPAN_PRINTF(name), dns_type_name(type), reason));
}

static void order(const struct conf_smtp *settings, struct plan *plan)
{
    const struct plan_rules rules = {
        .family_preference =
            span_equals_ascii_nocase(settings->smtp_address_preference, SPAN("ipv4"))
                ? PLAN_IPV4_FIRST
            : span_equals_ascii_nocase(settings->smtp_address_preference, SPAN("ipv6"))
                ? PLAN_IPV6_FIRST
                : PLAN_ANY_FAMILY,
        .is_random = settings->smtp_randomize_addresses,
        .is_balanced = settings->smtp_balance_inet_protocols,
        .address_limit = settings->smtp_mx_address_limit,
        .below = random_below,
    };
    plan_order(plan, &rules);
}

/* model: what all targets of the host have in common. */
static void add_addresses(struct plan *plan, const struct plan_target *model,
                          const struct dns_addresses *addresses)
{
    for (size_t i = 0; i < addresses->count; i++) {
        struct plan_target target = *model;
        target.address = addresses->list[i];
        target.is_name = true;
        target.is_address_secure = addresses->is_authenticated;
        target.canonical_name = addresses->canonical_name;
        if (!plan_add(plan, &target))
            return;
    }
}

/* RFC 6761 section 6.3: this name means this machine, and no name server is to be asked. */
static bool add_localhost(const struct nexthop *nexthop, unsigned wanted, struct plan *plan)
{
    static const struct ip_address loopback[] = {{IP_FAMILY_6, {[15] = 1}},
                                                 {IP_FAMILY_4, {127, 0, 0, 1}}};
    if (!span_equals_ascii_nocase(nexthop->host, SPAN("localhost")))
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(loopback); i++) {
        const struct plan_target target = {
            .host = nexthop->host, .address = loopback[i], .port = nexthop->port};
        if (is_wanted(wanted, &loopback[i]))
            (void)plan_add(plan, &target); /* has room: it is empty */
    }
    return plan->count > 0;
}

bool resolve_is_without_dns(const struct conf_smtp *settings)
{
    return settings->disable_dns_lookups ||
           span_equals_ascii_nocase(settings->smtp_dns_support_level, SPAN("disabled"));
}

/* In hosts(5), those of the families wanted. */
static bool look_in_file(const struct resolve_context *context, struct span name, unsigned wanted,
                         struct arena *arena, struct dns_addresses *result)
{
    struct ip_address found[HOSTS_FILE_ADDRESSES_MAX];
    const size_t count = hosts_file_lookup(context->hosts_file, name, found);
    struct dns_addresses addresses = {.status = DNS_FOUND, .canonical_name = span_empty()};
    addresses.list = arena_alloc(arena, HOSTS_FILE_ADDRESSES_MAX * sizeof(addresses.list[0]));
    for (size_t i = 0; i < count && addresses.list; i++)
        if (is_wanted(wanted, &found[i]))
            addresses.list[addresses.count++] = found[i];
    if (addresses.count == 0)
        return false;
    *result = addresses;
    return true;
}

/* What the system does: what is written down comes before DNS. smtp_host_lookup = dns, native asks
 * DNS first. */
static bool has_file_first(const struct conf_smtp *settings)
{
    struct span rest = settings->smtp_host_lookup, word;
    return resolve_is_without_dns(settings) || (span_next_word(&rest, ", \t\r\n", &word) &&
                                                span_equals_ascii_nocase(word, SPAN("native")));
}

static void look_up_addresses(const struct resolve_context *context, const struct span *names,
                              size_t count, unsigned wanted, struct arena *arena,
                              struct dns_addresses *results)
{
    const int64_t deadline_ms = clock_deadline_after(LOOKUP_TIMEOUT_MS);
    if (span_is_empty(context->hosts_file)) {
        dns_lookup_addresses(context->dns, names, count, wanted, deadline_ms, arena, results);
        return;
    }
    const bool is_file_first = has_file_first(context->settings);
    for (size_t i = 0; i < count; i++) {
        if (is_file_first && look_in_file(context, names[i], wanted, arena, &results[i]))
            continue;
        dns_lookup_addresses(context->dns, &names[i], 1, wanted, deadline_ms, arena, &results[i]);
        if (!is_file_first && results[i].status != DNS_FOUND)
            (void)look_in_file(context, names[i], wanted, arena, &results[i]);
    }
}

static bool resolve_host(const struct resolve_context *context, const struct nexthop *nexthop,
                         unsigned wanted, struct plan *plan, struct arena *arena,
                         struct failure *failure)
{
    struct dns_addresses addresses;
    look_up_addresses(context, &nexthop->host, 1, wanted, arena, &addresses);
    if (addresses.status != DNS_FOUND)
        return fail_lookup(failure, nexthop->host, addresses.type, addresses.status,
                           addresses.reason, arena);
    const struct plan_target model = {.host = nexthop->host, .port = nexthop->port};
    add_addresses(plan, &model, &addresses);
    order(context->settings, plan);
    return true;
}

/* An MX record with an address for a name: there is nothing to look up. */
static void take_numeric_name(struct span name, unsigned wanted, struct arena *arena,
                              struct dns_addresses *result)
{
    struct ip_address address;
    if (!ip_address_parse(name, &address) || !is_wanted(wanted, &address))
        return;
    *result = (struct dns_addresses){.status = DNS_FOUND, .canonical_name = span_empty()};
    result->list = arena_alloc(arena, sizeof(result->list[0]));
    if (result->list)
        result->list[result->count++] = address;
}

/* The addresses of all hosts of a domain. What is wrong with the hosts that have none is told only
 * when no host has one; a host whose address cannot be looked up now may have one later. */
static bool resolve_mx_hosts(const struct resolve_context *context, const struct nexthop *nexthop,
                             const struct dns_mx *mx, unsigned wanted, struct plan *plan,
                             struct arena *arena, struct failure *failure)
{
    const struct dns_addresses *worst = NULL;
    size_t worst_index = 0;
    struct span *names = arena_alloc(arena, mx->host_count * sizeof(*names));
    struct dns_addresses *addresses = arena_alloc(arena, mx->host_count * sizeof(*addresses));
    if (!names || !addresses)
        return fail(failure, OUTCOME_TEMPORARY, 3, 0, SPAN("out of memory"));
    for (size_t i = 0; i < mx->host_count; i++)
        names[i] = mx->hosts[i].name;
    look_up_addresses(context, names, mx->host_count, wanted, arena, addresses);
    for (size_t i = 0; i < mx->host_count; i++) {
        const struct plan_target model = {.host = names[i],
                                          .preference = mx->hosts[i].preference,
                                          .port = nexthop->port,
                                          .is_mx = true,
                                          .is_mx_secure = mx->answer.is_authenticated,
                                          .domain_canonical_name = mx->answer.canonical_name};
        take_numeric_name(names[i], wanted, arena, &addresses[i]);
        add_addresses(plan, &model, &addresses[i]);
        if (!worst || (addresses[i].status == DNS_TEMPORARY && worst->status != DNS_TEMPORARY)) {
            worst = &addresses[i];
            worst_index = i;
        }
    }
    if (plan->count > 0) {
        order(context->settings, plan);
        return true;
    }
    const bool must_defer = context->settings->smtp_defer_if_no_mx_address_found;
    (void)fail_lookup(failure, names[worst_index], worst->type, worst->status, worst->reason,
                      arena);
    if (must_defer && failure->outcome.kind == OUTCOME_PERMANENT)
        failure->outcome = outcome_make(OUTCOME_TEMPORARY, 0, 4, 4, failure->outcome.reason);
    return false;
}

/* This machine is the domain's best mail exchanger. best_mx_transport: it takes the mail as if the
 * domain were its own. */
static bool fail_loop(const struct resolve_context *context, const struct nexthop *nexthop,
                      struct arena *arena, struct failure *failure)
{
    const struct span transport = context->settings->best_mx_transport;
    const bool has_nexthop = span_find_byte(transport, ':') + 1 < transport.length;
    if (span_is_empty(transport))
        return fail(
            failure, OUTCOME_PERMANENT, 4, 6,
            arena_format(arena, "mail for %.*s loops back to myself", SPAN_PRINTF(nexthop->host)));
    (void)fail(failure, OUTCOME_TEMPORARY, 4, 6, SPAN("best_mx_transport has it"));
    failure->next_transport =
        has_nexthop
            ? transport
            : arena_format(arena, "%.*s:%.*s",
                           SPAN_PRINTF(span_first(transport, span_find_byte(transport, ':'))),
                           SPAN_PRINTF(nexthop->host));
    if (!failure->next_transport.bytes)
        failure->next_transport = span_empty();
    return false;
}

static uint16_t best_preference(const struct dns_mx *mx)
{
    uint16_t best = UINT16_MAX;
    for (size_t i = 0; i < mx->host_count; i++)
        if (mx->hosts[i].preference < best)
            best = mx->hosts[i].preference;
    return best;
}

static bool resolve_domain(const struct resolve_context *context, const struct nexthop *nexthop,
                           unsigned wanted, struct plan *plan, struct arena *arena,
                           struct failure *failure)
{
    struct dns_mx mx;
    dns_lookup_mx(context->dns, nexthop->host, clock_deadline_after(LOOKUP_TIMEOUT_MS), arena, &mx);
    /* RFC 5321 section 5.1: the domain's own address stands in for MX records that are not there,
     * and only then. */
    if (mx.answer.status == DNS_NO_DATA ||
        (mx.answer.status == DNS_TEMPORARY && context->settings->ignore_mx_lookup_error))
        return resolve_host(context, nexthop, wanted, plan, arena, failure);
    if (mx.answer.status != DNS_FOUND)
        return fail_lookup(failure, nexthop->host, DNS_TYPE_MX, mx.answer.status,
                           dns_answer_reason(&mx.answer), arena);
    if (mx.is_null) /* RFC 7505 section 4.2 */
        return fail(failure, OUTCOME_PERMANENT, 1, 10,
                    arena_format(arena, "Domain %.*s does not accept mail (nullMX)",
                                 SPAN_PRINTF(nexthop->host)));
    if (mx.host_count == 0)
        return fail_lookup(failure, nexthop->host, DNS_TYPE_MX, DNS_NO_DATA,
                           "Malformed or unexpected name server reply", arena);
    if (!resolve_mx_hosts(context, nexthop, &mx, wanted, plan, arena, failure))
        return false;
    plan->best_preference = best_preference(&mx);
    return true;
}

/* Mail must not come back to where it is. On another port there may be another server. */
static bool cut_at_self(const struct resolve_context *context, const struct nexthop *nexthop,
                        struct plan *plan, struct arena *arena, struct failure *failure)
{
    if (nexthop->port != SMTP_PORT || context->speaks_lmtp || !span_is_empty(nexthop->path))
        return true;
    const enum plan_self self = plan_cut_at_self(plan, context->own, context->own_count);
    plan->has_self = self != PLAN_SELF_ABSENT;
    for (size_t i = 0; i < plan->count; i++)
        plan->targets[i].may_not_be_self = plan->targets[i].preference == plan->best_preference;
    if (self == PLAN_SELF_IS_BEST)
        return fail_loop(context, nexthop, arena, failure);
    return self != PLAN_SELF_IS_BEST_KNOWN ||
           fail(failure, OUTCOME_TEMPORARY, 4, 4,
                arena_format(arena, "unable to find primary relay for %.*s",
                             SPAN_PRINTF(nexthop->host)));
}

static bool find_targets(const struct resolve_context *context, const struct nexthop *nexthop,
                         struct plan *plan, struct arena *arena, struct failure *failure)
{
    const struct conf_smtp *settings = context->settings;
    const unsigned wanted = wanted_families(settings);

    if (!span_is_empty(nexthop->path)) {
        const struct plan_target target = {.host = settings->myhostname, .path = nexthop->path};
        (void)plan_add(plan, &target); /* has room: it is empty */
        return true;
    }
    if (nexthop->address.family != IP_FAMILY_NONE && !is_wanted(wanted, &nexthop->address))
        return fail(failure, OUTCOME_PERMANENT, 4, 4,
                    arena_format(arena, "inet_protocols leaves no way to %.*s",
                                 SPAN_PRINTF(nexthop->host)));
    if (nexthop->address.family != IP_FAMILY_NONE) {
        const struct plan_target target = {
            .host = nexthop->host, .address = nexthop->address, .port = nexthop->port};
        (void)plan_add(plan, &target); /* has room: it is empty */
        return true;
    }
    if (add_localhost(nexthop, wanted, plan)) {
        order(settings, plan);
        return true;
    }
    if (nexthop->is_host || resolve_is_without_dns(settings))
        return resolve_host(context, nexthop, wanted, plan, arena, failure);
    return resolve_domain(context, nexthop, wanted, plan, arena, failure);
}

bool resolve_nexthop(const struct resolve_context *context, const struct nexthop *nexthop,
                     struct plan *plan, struct arena *arena, struct failure *failure)
{
    plan->count = 0;
    plan->best_preference = 0;
    plan->has_self = false;
    return find_targets(context, nexthop, plan, arena, failure) &&
           cut_at_self(context, nexthop, plan, arena, failure);
}
