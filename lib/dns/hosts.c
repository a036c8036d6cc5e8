/* dns/hosts - see hosts.h. */
#include "dns/hosts.h"

static const struct {
    unsigned flag;
    uint16_t type;
    enum ip_family family;
} families[] = {{DNS_WANT_IPV6, DNS_TYPE_AAAA, IP_FAMILY_6},
                {DNS_WANT_IPV4, DNS_TYPE_A, IP_FAMILY_4}};

/* Which of two failures is the one to act upon: not knowing before knowing that nothing is there,
 * and a name that is there before one that is not. */
static bool is_graver(enum dns_status left, enum dns_status right)
{
    static const unsigned gravity[] = {
        [DNS_FOUND] = 3, [DNS_TEMPORARY] = 2, [DNS_NO_DATA] = 1, [DNS_NO_SUCH_NAME] = 0};
    return gravity[left] > gravity[right];
}

/* Of each family its share: very many addresses of one must not hide that there is another. */
static void add_addresses(const struct dns_answer *answer, enum ip_family family, size_t share,
                          struct dns_addresses *result)
{
    const size_t count = answer->record_count < share ? answer->record_count : share;
    result->is_authenticated =
        answer->is_authenticated && (result->count == 0 || result->is_authenticated);
    result->canonical_name = answer->canonical_name;
    for (size_t i = 0; i < count; i++)
        result->list[result->count++] =
            ip_address_from_bytes(family, answer->records[i].data.bytes);
}

static void set_status(const struct dns_answer *answer, uint16_t type, struct dns_addresses *result)
{
    result->status = answer->status;
    result->reason = dns_answer_reason(answer);
    result->failure = answer->failure;
    result->type = type;
}

/* Up to half of what may be asked at once, two families each. */
static void lookup_some(struct dns_client *client, const struct span *names, size_t count,
                        unsigned wanted, int64_t deadline_ms, struct arena *arena,
                        struct dns_addresses *results)
{
    struct dns_request requests[DNS_LOOKUPS_AT_ONCE_MAX];
    struct dns_answer answers[DNS_LOOKUPS_AT_ONCE_MAX];
    const bool is_shared = wanted == (DNS_WANT_IPV4 | DNS_WANT_IPV6);
    const size_t share = is_shared ? DNS_HOST_ADDRESSES_MAX / 2 : DNS_HOST_ADDRESSES_MAX;
    size_t request_count = 0;

    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < ARRAY_LENGTH(families); j++)
            if (wanted & families[j].flag)
                requests[request_count++] = (struct dns_request){names[i], families[j].type};
    if (request_count > 0)
        dns_lookup_many(client, requests, request_count, deadline_ms, arena, answers);

    const struct dns_answer *answer = answers;
    for (size_t i = 0; i < count; i++) {
        const struct dns_answer out_of_memory = dns_answer_failed(DNS_FAILURE_RESOURCES);
        results[i] = (struct dns_addresses){.canonical_name = span_empty()};
        results[i].list = arena_alloc(arena, DNS_HOST_ADDRESSES_MAX * sizeof(results[i].list[0]));
        bool is_first = true;
        for (size_t j = 0; j < ARRAY_LENGTH(families); j++) {
            if (!(wanted & families[j].flag))
                continue;
            const struct dns_answer *given = results[i].list ? answer : &out_of_memory;
            if (is_first || is_graver(given->status, results[i].status))
                set_status(given, families[j].type, &results[i]);
            is_first = false;
            if (given->status == DNS_FOUND)
                add_addresses(given, families[j].family, share, &results[i]);
            answer++;
        }
    }
}

/* Within the frame of a caller its own would be too much for the stack of a task. */
NOINLINE void dns_lookup_addresses(struct dns_client *client, const struct span *names,
                                   size_t count, unsigned wanted, int64_t deadline_ms,
                                   struct arena *arena, struct dns_addresses *results)
{
    enum { NAMES_AT_ONCE = DNS_LOOKUPS_AT_ONCE_MAX / 2 };
    ASSERT(wanted & (DNS_WANT_IPV4 | DNS_WANT_IPV6));
    for (size_t done = 0; done < count; done += NAMES_AT_ONCE)
        lookup_some(client, names + done,
                    count - done < NAMES_AT_ONCE ? count - done : NAMES_AT_ONCE, wanted,
                    deadline_ms, arena, results + done);
}

/* Where there are more than anybody would try, the best stay (RFC 5321 section 5.1): in what order
 * they came says nothing. */
static void insert_by_preference(struct dns_mx *mx, struct dns_mx_host host)
{
    if (mx->host_count == DNS_MX_HOSTS_MAX) {
        if (host.preference >= mx->hosts[mx->host_count - 1].preference)
            return;
        mx->host_count--;
    }
    size_t place = mx->host_count++;
    while (place > 0 && mx->hosts[place - 1].preference > host.preference) {
        mx->hosts[place] = mx->hosts[place - 1];
        place--;
    }
    mx->hosts[place] = host;
}

/* Not as RFC 5321 section 5.1 wants it, but what is meant is clear, and there is no other host. */
static bool is_ipv4_address(struct span text)
{
    struct ip_address address;
    return ip_address_parse(text, &address) && address.family == IP_FAMILY_4;
}

void dns_lookup_mx(struct dns_client *client, struct span domain, int64_t deadline_ms,
                   struct arena *arena, struct dns_mx *mx)
{
    *mx = (struct dns_mx){0};
    dns_lookup(client, domain, DNS_TYPE_MX, deadline_ms, arena, &mx->answer);
    if (mx->answer.status != DNS_FOUND)
        return;
    /* RFC 7505 section 3: one record, preference 0, the root. Beside others "." is no host. */
    mx->is_null =
        mx->answer.record_count == 1 && span_equals(mx->answer.records[0].target, SPAN("."));
    mx->hosts = arena_alloc(arena, DNS_MX_HOSTS_MAX * sizeof(mx->hosts[0]));
    if (!mx->hosts) {
        mx->answer = dns_answer_failed(DNS_FAILURE_RESOURCES);
        return;
    }
    for (size_t i = 0; i < mx->answer.record_count; i++) {
        const struct dns_record *record = &mx->answer.records[i];
        if (dns_name_is_mail_host(record->target) || is_ipv4_address(record->target))
            insert_by_preference(mx, (struct dns_mx_host){record->target, record->priority});
    }
}

static bool has_address(const struct dns_addresses *addresses, const struct ip_address *address)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (ip_address_equals(&addresses->list[i], address))
            return true;
    return false;
}

void dns_lookup_client_name(struct dns_client *client, const struct ip_address *address,
                            int64_t deadline_ms, struct arena *arena,
                            struct dns_client_name *result)
{
    const size_t address_length = address->family == IP_FAMILY_4 ? 4 : 16;
    struct dns_name reverse;
    struct dns_answer pointer;
    struct span names[DNS_PTR_NAMES_MAX];
    struct dns_addresses addresses[DNS_PTR_NAMES_MAX];
    uint8_t text[DNS_NAME_TEXT_MAX_BYTES];
    size_t count = 0;

    *result = (struct dns_client_name){SPAN_LITERAL("unknown"), SPAN_LITERAL("unknown"),
                                       DNS_NO_SUCH_NAME, DNS_NO_SUCH_NAME};
    if (address->family == IP_FAMILY_NONE ||
        !dns_name_from_address(span_of(address->bytes, address_length), &reverse))
        return;
    dns_lookup(client, span_of(text, dns_name_format(&reverse, text)), DNS_TYPE_PTR, deadline_ms,
               arena, &pointer);
    if (pointer.status == DNS_TEMPORARY)
        result->status = result->reverse_status = DNS_TEMPORARY;
    for (size_t i = 0; i < pointer.record_count && count < DNS_PTR_NAMES_MAX; i++)
        if (dns_name_is_mail_host(pointer.records[i].target))
            names[count++] = pointer.records[i].target;
    if (count == 0)
        return;
    result->reverse_name = names[0];
    result->reverse_status = DNS_FOUND;
    dns_lookup_addresses(client, names, count,
                         address->family == IP_FAMILY_4 ? DNS_WANT_IPV4 : DNS_WANT_IPV6,
                         deadline_ms, arena, addresses);
    for (size_t i = 0; i < count; i++) {
        if (has_address(&addresses[i], address)) {
            result->name = result->reverse_name = names[i];
            result->status = DNS_FOUND;
            return;
        }
        if (addresses[i].status == DNS_TEMPORARY)
            result->status = DNS_TEMPORARY;
    }
}
