/* smtp/tlsa - see tlsa.h. */
#include "tlsa.h"

#include "dnswire/answer.h"

enum { LOOKUP_TIMEOUT_MS = 120000 };

static void keep_usable(const struct dns_answer *answer, const struct tls_dane_digests *digests,
                        struct arena *arena, struct tlsa *tlsa)
{
    tlsa->records = arena_alloc(arena, answer->record_count * sizeof(tlsa->records[0]));
    tlsa->status = tlsa->records ? TLSA_UNUSABLE : TLSA_FAILED;
    for (size_t i = 0; i < answer->record_count && tlsa->records; i++) {
        const struct dns_record *from = &answer->records[i];
        const struct tls_dane_record record = {.usage = from->tlsa_usage,
                                               .selector = from->tlsa_selector,
                                               .matching_type = from->tlsa_matching_type,
                                               .data = from->data};
        if (tls_dane_is_usable(&record, digests) && tlsa->count < TLS_DANE_RECORDS_MAX)
            tlsa->records[tlsa->count++] = record;
    }
    if (tlsa->count > 0)
        tlsa->status = TLSA_FOUND;
}

/* RFC 6698 section 3: _25._tcp.mx.example.net */
static void look_up_at(struct dns_client *dns, struct span base_domain, uint16_t port,
                       const struct tls_dane_digests *digests, struct arena *arena,
                       struct tlsa *tlsa)
{
    struct dns_answer answer;
    const struct span name =
        arena_format(arena, "_%u._tcp.%.*s", (unsigned)port, SPAN_PRINTF(base_domain));
    *tlsa = (struct tlsa){.status = TLSA_FAILED, .base_domain = base_domain};
    if (!name.bytes)
        return;
    dns_lookup(dns, name, DNS_TYPE_TLSA, clock_deadline_after(LOOKUP_TIMEOUT_MS), arena, &answer);
    if (answer.status == DNS_TEMPORARY)
        return;
    tlsa->status = TLSA_NONE;
    if (answer.status == DNS_FOUND && answer.is_authenticated)
        keep_usable(&answer, digests, arena, tlsa);
}

/* The host's addresses are insecure. Its own zone may be signed all the same, where it is an alias
 * of a name in one that is not; in an unsigned zone there is nothing to look for, and the servers
 * of some choke on the question (RFC 7672 section 2.1.3). */
static enum tlsa_status is_secure_alias(struct dns_client *dns, struct span host,
                                        struct arena *arena)
{
    struct dns_answer answer;
    dns_lookup(dns, host, DNS_TYPE_CNAME, clock_deadline_after(LOOKUP_TIMEOUT_MS), arena, &answer);
    if (answer.status == DNS_TEMPORARY)
        return TLSA_FAILED;
    return answer.status == DNS_FOUND && answer.is_authenticated ? TLSA_FOUND : TLSA_NONE;
}

void tlsa_look_up(struct dns_client *dns, const struct plan_target *target, bool is_forced,
                  const struct tls_dane_digests *digests, struct arena *arena, struct tlsa *tlsa)
{
    *tlsa = (struct tlsa){.status = TLSA_NONE, .base_domain = span_empty()};
    if (!target->is_name)
        return;
    if (target->is_address_secure) {
        /* The name at the end of the aliases first (RFC 7672 section 2.2.2). */
        const bool is_alias = !span_is_empty(target->canonical_name) &&
                              !span_equals_ascii_nocase(target->canonical_name, target->host);
        if (is_alias)
            look_up_at(dns, target->canonical_name, target->port, digests, arena, tlsa);
        if (tlsa->status == TLSA_NONE)
            look_up_at(dns, target->host, target->port, digests, arena, tlsa);
        return;
    }
    tlsa->status = is_forced ? TLSA_FOUND : is_secure_alias(dns, target->host, arena);
    if (tlsa->status == TLSA_FOUND)
        look_up_at(dns, target->host, target->port, digests, arena, tlsa);
}
