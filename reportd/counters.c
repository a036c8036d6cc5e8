/* reportd/counters - see counters.h. */
#include "counters.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"

enum { DAY_DIGITS_MAX = 16 };

void counters_init(struct counters *counters, const uint8_t seed[16])
{
    *counters = (struct counters){0};
    map_init(&counters->map, seed);
    list_init(&counters->days);
    list_init(&counters->unsaved);
}

static void drop_policy(struct counters *counters, struct counted_policy *policy)
{
    struct list_link *link;
    while ((link = list_pop(&policy->kinds)) != NULL) {
        struct counted_kind *kind = LIST_ITEM(link, struct counted_kind, link);
        if (list_is_linked(&kind->unsaved_link))
            list_remove(&counters->unsaved, &kind->unsaved_link);
        free(kind);
    }
    free(policy);
}

void counters_drop(struct counters *counters, struct counted_day *day)
{
    struct list_link *link;
    while ((link = list_pop(&day->policies)) != NULL)
        drop_policy(counters, LIST_ITEM(link, struct counted_policy, link));
    while ((link = list_pop(&day->places)) != NULL)
        free(LIST_ITEM(link, struct counted_place, link));
    map_remove(&counters->map, &day->node);
    list_remove(&counters->days, &day->link);
    counters->size_bytes -= day->size_bytes;
    free(day);
}

void counters_destroy(struct counters *counters)
{
    struct list_link *link;
    while ((link = list_first(&counters->days)) != NULL)
        counters_drop(counters, LIST_ITEM(link, struct counted_day, link));
    map_destroy(&counters->map);
}

/* ---- finding ---- */

/* "20779 example.com", in lower case. */
static size_t write_key(char *key, uint32_t day, struct span domain)
{
    const int digits = snprintf(key, DAY_DIGITS_MAX, "%u ", (unsigned)day);
    const size_t length = digits > 0 ? (size_t)digits : 0;
    for (size_t i = 0; i < domain.length; i++)
        key[length + i] = (char)ascii_to_lower(domain.bytes[i]);
    return length + domain.length;
}

struct counted_day *counters_find(const struct counters *counters, uint32_t day, struct span domain)
{
    char key[DAY_DIGITS_MAX + LINE_NAME_MAX_BYTES];
    if (domain.length > LINE_NAME_MAX_BYTES)
        return NULL;
    struct map_node *node = map_find(&counters->map, span_of(key, write_key(key, day, domain)));
    return node ? CONTAINER_OF(node, struct counted_day, node) : NULL;
}

static struct counted_day *make_day(struct counters *counters, uint32_t number, struct span domain)
{
    const size_t size_bytes = sizeof(struct counted_day) + DAY_DIGITS_MAX + domain.length;
    struct counted_day *day = domain.length <= LINE_NAME_MAX_BYTES ? calloc(1, size_bytes) : NULL;
    if (!day)
        return NULL;
    const size_t length = write_key(day->key, number, domain);
    day->node.key = span_of(day->key, length);
    day->day = number;
    day->domain = span_after(day->node.key, length - domain.length);
    day->size_bytes = size_bytes;
    list_init(&day->policies);
    list_init(&day->places);
    if (!map_insert(&counters->map, &day->node)) {
        free(day);
        return NULL;
    }
    list_append(&counters->days, &day->link);
    counters->size_bytes += size_bytes;
    return day;
}

/* Copies the text to *place, which moves on. */
static struct span keep(char **place, struct span text)
{
    char *copy = *place;
    memcpy(copy, text.bytes, text.length);
    *place += text.length;
    return span_of(copy, text.length);
}

static void grow(struct counters *counters, struct counted_day *day, size_t size_bytes)
{
    day->size_bytes += size_bytes;
    counters->size_bytes += size_bytes;
}

static struct counted_kind *make_kind(struct counters *counters, struct counted_policy *policy,
                                      const struct session_line *line)
{
    const size_t size_bytes = sizeof(struct counted_kind) + line->sending_ip.length +
                              line->receiving_host.length + line->receiving_helo.length +
                              line->receiving_ip.length + line->reason.length;
    struct counted_kind *kind = calloc(1, size_bytes);
    if (!kind)
        return NULL;
    char *place = kind->texts;
    kind->policy = policy;
    kind->line.result = line->result;
    kind->line.sending_ip = keep(&place, line->sending_ip);
    kind->line.receiving_host = keep(&place, line->receiving_host);
    kind->line.receiving_helo = keep(&place, line->receiving_helo);
    kind->line.receiving_ip = keep(&place, line->receiving_ip);
    kind->line.reason = keep(&place, line->reason);
    list_append(&policy->kinds, &kind->link);
    grow(counters, policy->day, size_bytes);
    return kind;
}

static bool is_same(const struct session_line *left, const struct session_line *right)
{
    return left->result == right->result && span_equals(left->sending_ip, right->sending_ip) &&
           span_equals(left->receiving_host, right->receiving_host) &&
           span_equals(left->receiving_helo, right->receiving_helo) &&
           span_equals(left->receiving_ip, right->receiving_ip) &&
           span_equals(left->reason, right->reason);
}

/* A report says of successful sessions only how many there were. */
static struct session_line without_particulars(enum tlsrpt_result result)
{
    return (struct session_line){.result = result,
                                 .sending_ip = span_empty(),
                                 .receiving_host = span_empty(),
                                 .receiving_helo = span_empty(),
                                 .receiving_ip = span_empty(),
                                 .reason = span_empty()};
}

static struct counted_kind *find_kind(const struct counted_policy *policy,
                                      const struct session_line *line)
{
    LIST_FOR_EACH (&policy->kinds, link) {
        struct counted_kind *kind = LIST_ITEM(link, struct counted_kind, link);
        if (is_same(&kind->line, line))
            return kind;
    }
    return NULL;
}

static struct counted_kind *get_kind(struct counters *counters, struct counted_policy *policy,
                                     const struct session_line *line)
{
    const struct session_line bare = without_particulars(line->result);
    const bool is_full = policy->kinds.count >= COUNTERS_KINDS_MAX;
    if (line->result == TLSRPT_SUCCESS)
        line = &bare;
    struct counted_kind *kind = find_kind(policy, line);
    if (!kind && is_full) {
        line = &bare;
        kind = find_kind(policy, line);
    }
    return kind ? kind : make_kind(counters, policy, line);
}

static struct counted_policy *get_policy(struct counters *counters, struct counted_day *day,
                                         const struct session_line *line, bool has_room)
{
    LIST_FOR_EACH (&day->policies, link) {
        struct counted_policy *policy = LIST_ITEM(link, struct counted_policy, link);
        if (policy->type == line->policy_type &&
            span_equals_ascii_nocase(policy->domain, line->policy_domain) &&
            span_equals(policy->text, line->policy))
            return policy;
    }
    const size_t size_bytes =
        sizeof(struct counted_policy) + line->policy_domain.length + line->policy.length;
    struct counted_policy *policy =
        has_room && day->policies.count < COUNTERS_POLICIES_MAX ? calloc(1, size_bytes) : NULL;
    if (!policy)
        return NULL;
    char *place = policy->texts;
    policy->day = day;
    policy->type = line->policy_type;
    policy->domain = keep(&place, line->policy_domain);
    policy->text = keep(&place, line->policy);
    list_init(&policy->kinds);
    list_append(&day->policies, &policy->link);
    grow(counters, day, size_bytes);
    return policy;
}

/* ---- counting ---- */

static void count(struct counters *counters, struct counted_kind *kind, uint64_t added,
                  bool is_saved)
{
    kind->count += added;
    if (is_saved)
        return;
    kind->unsaved_count += added;
    if (!list_is_linked(&kind->unsaved_link))
        list_append(&counters->unsaved, &kind->unsaved_link);
}

struct counted_day *counters_add(struct counters *counters, const struct session_line *line,
                                 bool is_saved, bool *is_new)
{
    struct counted_day *day = counters_find(counters, line->day, line->domain);
    const bool has_room = counters->size_bytes < COUNTERS_BYTES_MAX;
    *is_new = !day;
    if (!day && has_room)
        day = make_day(counters, line->day, line->domain);
    struct counted_policy *policy = day ? get_policy(counters, day, line, has_room) : NULL;
    struct counted_kind *kind = NULL;
    if (policy)
        kind = has_room ? get_kind(counters, policy, line) : find_kind(policy, line);
    if (kind)
        count(counters, kind, line->count, is_saved);
    else
        counters->dropped_count += line->count;
    return day;
}

/* ---- places ---- */

bool counters_has_place(const struct counted_day *day, struct span uri)
{
    LIST_FOR_EACH (&day->places, link)
        if (span_equals(LIST_ITEM(link, struct counted_place, link)->uri, uri))
            return true;
    return day->places.count >= COUNTERS_PLACES_MAX;
}

bool counters_add_place(struct counters *counters, struct counted_day *day, struct span uri)
{
    const size_t size_bytes = sizeof(struct counted_place) + uri.length;
    if (counters_has_place(day, uri))
        return true;
    struct counted_place *place = calloc(1, size_bytes);
    if (!place)
        return false;
    char *text = place->text;
    place->uri = keep(&text, uri);
    list_append(&day->places, &place->link);
    grow(counters, day, size_bytes);
    return true;
}

/* ---- as lines ---- */

struct session_line counters_line(const struct counted_kind *kind, bool is_unsaved)
{
    const struct counted_policy *policy = kind->policy;
    struct session_line line = kind->line;
    line.day = policy->day->day;
    line.domain = policy->day->domain;
    line.policy_type = policy->type;
    line.policy_domain = policy->domain;
    line.policy = policy->text;
    line.count = is_unsaved ? kind->unsaved_count : kind->count;
    return line;
}

void counters_set_saved(struct counters *counters)
{
    struct list_link *link;
    while ((link = list_pop(&counters->unsaved)) != NULL)
        LIST_ITEM(link, struct counted_kind, unsaved_link)->unsaved_count = 0;
}

/* ---- one after another ---- */

static struct counted_kind *first_of_policies(const struct counted_day *day, struct list_link *link)
{
    for (; link; link = list_next(&day->policies, link)) {
        const struct counted_policy *policy = LIST_ITEM(link, struct counted_policy, link);
        if (!list_is_empty(&policy->kinds))
            return LIST_ITEM(list_first(&policy->kinds), struct counted_kind, link);
    }
    return NULL;
}

static struct counted_kind *first_of_days(const struct counters *counters, struct list_link *link)
{
    for (; link; link = list_next(&counters->days, link)) {
        const struct counted_day *day = LIST_ITEM(link, struct counted_day, link);
        struct counted_kind *kind = first_of_policies(day, list_first(&day->policies));
        if (kind)
            return kind;
    }
    return NULL;
}

struct counted_kind *counters_next(const struct counters *counters, const struct counted_kind *kind)
{
    if (!kind)
        return first_of_days(counters, list_first(&counters->days));
    const struct counted_policy *policy = kind->policy;
    struct list_link *link = list_next(&policy->kinds, &kind->link);
    if (link)
        return LIST_ITEM(link, struct counted_kind, link);
    struct counted_kind *next =
        first_of_policies(policy->day, list_next(&policy->day->policies, &policy->link));
    return next ? next : first_of_days(counters, list_next(&counters->days, &policy->day->link));
}
