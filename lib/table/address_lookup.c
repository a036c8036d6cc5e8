/* table/address_lookup - see address_lookup.h. */
#include "table/address_lookup.h"

#include "address/rewrite.h"

struct search {
    enum table_result (*try)(void *context, struct span key);
    void *context;
    struct arena *arena;
};

/* "bare" + tail, first with the local part as it is written in mail, then as it is meant. */
static enum table_result try_address(const struct search *search, struct span local_part,
                                     const char *at, struct span domain)
{
    struct mailbox quoted;

    if (local_part.length && !mailbox_is_plain(local_part) &&
        mailbox_set(&quoted, local_part, span_empty(), search->arena) &&
        !span_equals(quoted.text, local_part)) {
        const struct span key = arena_format(search->arena, "%.*s%s%.*s", SPAN_PRINTF(quoted.text),
                                             at, SPAN_PRINTF(domain));
        if (!key.bytes)
            return TABLE_ERROR;
        const enum table_result result = search->try(search->context, key);
        if (result != TABLE_NOT_FOUND)
            return result;
    }
    struct buffer key;
    buffer_init(&key, search->arena, TABLE_KEY_MAX_BYTES);
    buffer_append_span(&key, local_part);
    buffer_append_string(&key, at);
    buffer_append_span(&key, domain);
    if (!buffer_ok(&key)) /* longer than any key, or the arena is full */
        return local_part.length + domain.length < TABLE_KEY_MAX_BYTES ? TABLE_ERROR
                                                                       : TABLE_NOT_FOUND;
    return search->try(search->context, buffer_span(&key));
}

static enum table_result try_both(const struct search *search, struct span local_part,
                                  struct span base, bool has_extension, const char *at,
                                  struct span domain, bool *is_base)
{
    enum table_result result = try_address(search, local_part, at, domain);
    *is_base = false;
    if (result == TABLE_NOT_FOUND && has_extension) {
        result = try_address(search, base, at, domain);
        *is_base = true;
    }
    return result;
}

static enum table_result try_domains(const struct search *search, struct span domain, unsigned keys)
{
    enum table_result result = search->try(search->context, domain);

    if (domain.length && domain.bytes[0] == '[')
        return result; /* an address literal has no parents */
    while (result == TABLE_NOT_FOUND &&
           (keys & (TABLE_ADDRESS_PARENTS | TABLE_ADDRESS_DOTTED_PARENTS))) {
        const size_t dot = span_find_byte(domain, '.');
        if (dot + 1 >= domain.length)
            break;
        domain = span_after(domain, dot + 1);
        if (keys & TABLE_ADDRESS_PARENTS)
            result = search->try(search->context, domain);
        else
            result = search->try(search->context,
                                 span_of(domain.bytes - 1, domain.length + 1)); /* with its dot */
    }
    return result;
}

enum table_result table_address_lookup(const struct table_address *address, unsigned keys,
                                       enum table_result (*try)(void *context, struct span key),
                                       void *context, struct arena *arena, struct span *extension)
{
    const struct search search = {try, context, arena};
    const struct span local_part = address->local_part;
    const struct span domain = address->domain;
    const bool has_domain = domain.length > 0;
    struct span base;
    struct span bare_extension;
    bool is_base = false;
    enum table_result result = TABLE_NOT_FOUND;

    const bool has_extension =
        address_split_extension(local_part, address->recipient_delimiter,
                                address->has_special_owner_request, &base, &bare_extension);
    if (has_domain && (keys & TABLE_ADDRESS_FULL))
        result = try_both(&search, local_part, base, has_extension && (keys & TABLE_ADDRESS_BASE),
                          "@", domain, &is_base);
    if (result == TABLE_NOT_FOUND && (keys & TABLE_ADDRESS_LOCAL_PART) &&
        (address->is_local_domain || !has_domain))
        result = try_both(&search, local_part, base, has_extension, "", span_empty(), &is_base);
    if (result == TABLE_NOT_FOUND) {
        is_base = false;
        if (has_domain && (keys & TABLE_ADDRESS_AT_DOMAIN))
            result = try_address(&search, span_empty(), "@", domain);
    }
    if (result == TABLE_NOT_FOUND && has_domain && (keys & TABLE_ADDRESS_DOMAIN))
        result = try_domains(&search, domain, keys);
    if (result == TABLE_NOT_FOUND && (keys & TABLE_ADDRESS_LOCAL_PART_AT))
        result = try_both(&search, local_part, base, has_extension, "@", span_empty(), &is_base);
    if (result == TABLE_NOT_FOUND) {
        is_base = false;
        if (keys & TABLE_ADDRESS_WILDCARD)
            result = try(context, span_from_string("*"));
    }
    if (extension)
        *extension =
            result == TABLE_FOUND && is_base ? span_after(local_part, base.length) : span_empty();
    return result;
}
