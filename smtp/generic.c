/* smtp/generic - see generic.h. */
#include "generic.h"

#include "smtp/address_field.h"
#include "smtp/header.h"
#include "system/file.h"

enum { LOOKUP_TIMEOUT_MS = 100000 };

/* Addresses in the order in which they are met: reverse-path, recipients, header. */
struct addresses {
    struct span *list;
    struct span *rewritten;
    size_t count, capacity;
    size_t next; /* to be used */
};

static bool add(struct addresses *addresses, struct span address, struct arena *arena)
{
    if (addresses->count == addresses->capacity) {
        const size_t capacity = addresses->capacity * 2 + 16;
        struct span *grown = arena_alloc(arena, capacity * sizeof(*grown));
        if (!grown)
            return false;
        for (size_t i = 0; i < addresses->count; i++)
            grown[i] = addresses->list[i];
        addresses->list = grown;
        addresses->capacity = capacity;
    }
    addresses->list[addresses->count++] = address;
    return true;
}

/* The beginning of the content, which may lie in several extents. */
static bool read_header(struct delivery *delivery, struct span *header)
{
    const size_t length = delivery->envelope.facts.header_bytes;
    uint8_t *bytes = arena_alloc(&delivery->arena, length);
    size_t done = 0;
    for (size_t i = 0; i < delivery->extent_count && bytes && done < length; i++) {
        const struct queue_extent *extent = &delivery->extents[i];
        const uint64_t left = length - done;
        const size_t count = (size_t)(extent->length < left ? extent->length : left);
        if (count > 0 &&
            file_pread_all(delivery->content, bytes + done, count, extent->offset) != 0)
            return false;
        done += count;
    }
    *header = span_of(bytes, length);
    return bytes && done == length;
}

static bool collect(struct delivery *delivery, struct span header, struct addresses *addresses)
{
    struct smtp_header_field field;
    bool is_complete = add(addresses, delivery->envelope.reverse_path, &delivery->arena);
    for (size_t i = 0; i < delivery->recipient_count; i++)
        is_complete &= add(addresses, delivery->recipients[i].address, &delivery->arena);
    while (smtp_header_next(&header, &field)) {
        struct smtp_field_address address;
        size_t at = 0;
        if (smtp_address_field_kind(field.name) == SMTP_ADDRESS_FIELD_NONE)
            continue;
        while (smtp_address_field_next(field.value, &at, &delivery->arena, &address))
            is_complete &= add(addresses, address.text, &delivery->arena);
    }
    return is_complete;
}

static struct span take_next(struct addresses *addresses)
{
    return addresses->rewritten[addresses->next++];
}

/* The field's addresses come in the order in which they were collected. */
static bool replace(void *context, enum smtp_address_field kind, struct span text,
                    struct arena *arena, struct span *replacement)
{
    struct addresses *addresses = context;
    (void)kind;
    (void)arena;
    if (addresses->next >= addresses->count)
        return false;
    *replacement = take_next(addresses);
    return !span_equals(*replacement, text);
}

/* The whole block, and what ends it. Stays empty when nothing changes. */
static bool rewrite_header(struct delivery *delivery, struct span header,
                           struct addresses *addresses)
{
    struct smtp_header_field field;
    struct buffer output;
    bool has_changed = false;
    buffer_init(&output, &delivery->arena, 2 * GENERIC_HEADER_MAX_BYTES);
    while (smtp_header_next(&header, &field))
        has_changed |=
            smtp_address_field_rewrite(field.name, field.whole, replace, addresses, &output);
    buffer_append_span(&output, header); /* the empty line */
    if (has_changed)
        delivery->header = buffer_span(&output);
    return buffer_ok(&output);
}

bool generic_apply(struct delivery *delivery, struct failure *failure)
{
    const struct agent *agent = delivery->agent;
    const size_t header_bytes = delivery->envelope.facts.header_bytes;
    struct addresses addresses = {.list = NULL};
    struct span header = span_empty();
    bool is_ready = header_bytes == 0 || header_bytes > GENERIC_HEADER_MAX_BYTES ||
                    read_header(delivery, &header);

    *failure = (struct failure){.outcome = outcome_temporary(0, 3, 0, "out of memory"),
                                .diagnostic = span_empty()};
    is_ready = is_ready && collect(delivery, header, &addresses);
    addresses.rewritten =
        arena_alloc(&delivery->arena, addresses.count * sizeof(addresses.rewritten[0]));
    if (!is_ready || !addresses.rewritten)
        return false;
    failure->outcome =
        addr_rewrite(&delivery->agent->addr,
                     agent->speaks_lmtp ? ADDR_REWRITE_LMTP_GENERIC : ADDR_REWRITE_GENERIC,
                     addresses.list, addresses.count, clock_deadline_after(LOOKUP_TIMEOUT_MS),
                     &delivery->arena, addresses.rewritten);
    if (!outcome_is_ok(&failure->outcome))
        return false;
    /* The null reverse-path stays what it is (RFC 5321 section 4.5.5). */
    delivery->reverse_path = take_next(&addresses);
    if (span_is_empty(delivery->envelope.reverse_path))
        delivery->reverse_path = span_empty();
    for (size_t i = 0; i < delivery->recipient_count; i++)
        delivery->recipients[i].outward_address = take_next(&addresses);
    failure->outcome = outcome_temporary(0, 3, 0, "out of memory");
    return rewrite_header(delivery, header, &addresses);
}
