/* addrd/search - see search.h. */
#include "search.h"

#include "base/ascii.h"
#include "table/address_lookup.h"

bool search_note(struct search *search, enum table_result result, struct span reason)
{
    const struct resolver *resolver = search->resolver;
    if (result == TABLE_ERROR || result == TABLE_WOULD_BLOCK) {
        search->has_failed = true;
        if (resolver->report)
            resolver->report(resolver->report_context, reason);
    }
    return result == TABLE_FOUND;
}

bool search_note_memory(struct search *search)
{
    return search_note(search, TABLE_ERROR, SPAN("memory is out"));
}

bool search_is_in(struct search *search, struct table_match *match, struct span name)
{
    const enum table_result result = table_match_lookup(match, name);
    return search_note(search, result,
                       result == TABLE_ERROR ? table_match_error(match) : span_empty());
}

static bool note_list(struct search *search, struct table_list *list, enum table_result result)
{
    return search_note(search, result,
                       result == TABLE_ERROR ? table_list_error(list) : span_empty());
}

struct span search_key(struct search *search, struct table_list *list, struct span key)
{
    struct buffer value;

    if (table_list_is_empty(list))
        return (struct span){NULL, 0};
    buffer_init(&value, search->arena, TABLE_VALUE_MAX_BYTES);
    return note_list(search, list, table_list_lookup(list, key, &value)) ? buffer_span(&value)
                                                                         : (struct span){NULL, 0};
}

struct list_search {
    struct table_list *list;
    struct buffer *value;
};

static enum table_result try_list(void *context, struct span key)
{
    const struct list_search *search = context;
    return table_list_lookup(search->list, key, search->value);
}

struct span search_address(struct search *search, struct table_list *list,
                           const struct search_address *address, struct span *extension)
{
    const struct conf_addrd *settings = search->resolver->settings;
    const struct table_address wanted = {.local_part = address->mailbox->local_part,
                                         .domain = address->domain,
                                         .recipient_delimiter = settings->recipient_delimiter,
                                         .has_special_owner_request =
                                             settings->owner_request_special,
                                         .is_local_domain = address->is_local_domain};
    struct buffer value;

    if (extension)
        *extension = span_empty();
    if (table_list_is_empty(list))
        return (struct span){NULL, 0};
    buffer_init(&value, search->arena, TABLE_VALUE_MAX_BYTES);
    struct list_search context = {list, &value};
    const enum table_result result =
        table_address_lookup(&wanted, address->keys, try_list, &context, search->arena, extension);
    return note_list(search, list, result) ? buffer_span(&value) : (struct span){NULL, 0};
}

struct span search_fold_domain(struct search *search, struct span domain)
{
    if (domain.length && domain.bytes[domain.length - 1] == '.')
        domain.length--;
    uint8_t *lower = arena_alloc(search->arena, domain.length);
    if (!lower) {
        (void)search_note_memory(search);
        return (struct span){NULL, 0};
    }
    if (domain.length)
        memcpy(lower, domain.bytes, domain.length);
    ascii_lower_in_place(lower, domain.length);
    return span_of(lower, domain.length);
}

bool search_is_own_address(const struct search *search, const struct ip_address *address)
{
    const struct resolver *resolver = search->resolver;
    for (size_t i = 0; i < resolver->own_address_count; i++)
        if (ip_address_equals(&resolver->own_addresses[i], address))
            return true;
    return false;
}

bool search_is_local_domain(struct search *search, const struct mailbox *mailbox,
                            struct span domain)
{
    struct ip_address address;

    if (span_equals_ascii_nocase(domain, search->resolver->settings->myorigin) ||
        search_is_in(search, search->resolver->tables.my_destination, domain))
        return true;
    return mailbox->is_address_literal && address_literal_parse(domain, &address) &&
           search_is_own_address(search, &address);
}
