/* addrd/expander - see expander.h. */
#include "expander.h"

#include "base/ascii.h"
#include "base/map.h"
#include "rewriter.h"
#include "system/task.h"
#include "table/address_lookup.h"

enum { EXPANDER_FIRST_ITEMS = 2, EXPANDER_LOOKUPS_BETWEEN_YIELDS = 64 };

struct item {
    struct mailbox address;
    struct span original;
    bool is_copy;
};

/* One expansion under way. */
struct work {
    struct search search;
    struct item *items;
    size_t count;
    size_t capacity;
    struct map kept; /* addresses that expanded to themselves, in lower case */
    size_t lookup_count;
    bool is_over_limit;
};

static struct outcome too_large(void)
{
    return outcome_temporary(451, 6, 0, "Alias expansion error");
}

static bool put_item(struct work *work, const struct item *item)
{
    if (work->count == work->capacity) {
        const size_t grown = work->capacity ? work->capacity * 2 : EXPANDER_FIRST_ITEMS;
        struct item *items = arena_alloc(work->search.arena, grown * sizeof(*items));
        if (!items)
            return search_note_memory(&work->search);
        if (work->count)
            memcpy(items, work->items, work->count * sizeof(*items));
        work->items = items;
        work->capacity = grown;
    }
    work->items[work->count++] = *item;
    return true;
}

/* Always false. */
static bool exceed(struct work *work, const char *what, const struct mailbox *address)
{
    const struct resolver *resolver = work->search.resolver;
    const struct span text = arena_format(
        work->search.arena,
        "unreasonable virtual_alias_maps map %s for %.*s -- message not accepted, try again later",
        what, SPAN_PRINTF(span_first(address->text, ADDRESS_MAX_BYTES)));
    work->is_over_limit = true;
    if (resolver->report && text.bytes)
        resolver->report(resolver->report_context, text);
    return false;
}

/* ---- sets of addresses ---- */

static struct span fold(struct search *search, struct span text)
{
    uint8_t *bytes = arena_alloc(search->arena, text.length + 1);
    if (!bytes) {
        (void)search_note_memory(search);
        return (struct span){NULL, 0};
    }
    if (text.length)
        memcpy(bytes, text.bytes, text.length);
    ascii_lower_in_place(bytes, text.length);
    return span_of(bytes, text.length);
}

static bool has_text(struct search *search, const struct map *set, struct span text)
{
    const struct span key = set->count ? fold(search, text) : span_empty();
    return set->count && key.bytes && map_find(set, key);
}

/* False when it is there already, or memory is out, which is noted. */
static bool add_text(struct search *search, struct map *set, struct span text)
{
    struct map_node *node = arena_alloc(search->arena, sizeof(*node));
    if (!node)
        return search_note_memory(search);
    node->key = fold(search, text);
    if (!node->key.bytes || map_find(set, node->key))
        return false;
    return map_insert(set, node) || search_note_memory(search);
}

/* ---- virtual(5) ---- */

/* One look-up for items[index]: replaced by the first of what was found, the others at the end.
 * False when nothing was found, or something went wrong. */
static bool expand_once(struct work *work, size_t index)
{
    struct search *search = &work->search;
    const struct resolver *resolver = search->resolver;
    const struct item before = work->items[index];
    struct rewriter_values values;
    struct span extension;

    if (++work->lookup_count % EXPANDER_LOOKUPS_BETWEEN_YIELDS == 0 && task_current())
        task_yield();
    const struct span domain = search_fold_domain(search, before.address.domain);
    if (!domain.bytes)
        return false;
    const struct search_address wanted = {&before.address, domain,
                                          search_is_local_domain(search, &before.address, domain),
                                          TABLE_ADDRESS_RECIPIENT};
    const struct span value =
        search_address(search, resolver->tables.virtual_aliases, &wanted, &extension);
    if (!value.bytes || search->has_failed)
        return false;
    if (!rewriter_has_word(resolver->settings->propagate_unmatched_extensions, "virtual"))
        extension = span_empty();
    if (!rewriter_read_values(search, value, &before.address, extension, &values))
        return false;
    for (size_t i = 0; i < values.count; i++) {
        const struct item item = {values.all[i], before.original, before.is_copy};
        if (item.address.text.length > resolver->settings->virtual_alias_address_length_limit)
            return exceed(work, "result length", &before.address);
        if (i == 0)
            work->items[index] = item;
        else if (!put_item(work, &item))
            return false;
        /* An address may expand to itself once. */
        if (span_equals_ascii_nocase(item.address.text, before.address.text))
            (void)add_text(search, &work->kept, item.address.text);
        if (work->count > resolver->settings->virtual_alias_expansion_limit)
            return exceed(work, "expansion size", &before.address);
    }
    return !search->has_failed;
}

/* True when some table has items[first]. */
static bool expand_all(struct work *work, size_t first)
{
    const struct resolver *resolver = work->search.resolver;
    bool is_known = false;

    if (table_list_is_empty(resolver->tables.virtual_aliases))
        return false;
    for (size_t i = first; i < work->count; i++) {
        for (size_t depth = 0;; depth++) {
            if (has_text(&work->search, &work->kept, work->items[i].address.text))
                break;
            if (depth >= resolver->settings->virtual_alias_recursion_limit) {
                (void)exceed(work, "nesting", &work->items[i].address);
                return is_known;
            }
            if (!expand_once(work, i))
                break;
            is_known = is_known || i == first;
        }
        if (work->search.has_failed || work->is_over_limit)
            return is_known;
    }
    return is_known;
}

/* ---- blind copies ---- */

static void add_copy(struct work *work, struct span address)
{
    struct item item = {.is_copy = true};

    if (mailbox_parse(address, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, work->search.arena,
                      &item.address) != PARSE_OK ||
        mailbox_is_null(&item.address) ||
        !rewriter_complete(&work->search, span_empty(), &item.address)) {
        if (!work->search.has_failed)
            (void)search_note(&work->search, TABLE_ERROR, SPAN("a blind copy has no address"));
        return;
    }
    item.original = item.address.text;
    (void)rewriter_canonical(&work->search, "envelope_recipient", &item.address);
    const size_t first = work->count;
    if (put_item(work, &item))
        (void)expand_all(work, first);
}

static void add_copies_of(struct work *work, struct table_list *list, const struct mailbox *address)
{
    struct search *search = &work->search;

    if (search->has_failed || table_list_is_empty(list) || mailbox_is_null(address))
        return;
    const struct span domain = search_fold_domain(search, address->domain);
    if (!domain.bytes)
        return;
    const struct search_address wanted = {
        address, domain, search_is_local_domain(search, address, domain), TABLE_ADDRESS_RECIPIENT};
    const struct span value = search_address(search, list, &wanted, NULL);
    if (value.bytes && !search->has_failed)
        add_copy(work, value);
}

/* ---- the message's sender ---- */

static void take_sender(struct work *work, struct span text, unsigned flags,
                        struct expansion *expansion)
{
    const struct resolver *resolver = work->search.resolver;
    struct mailbox sender;

    if (text.length == 0 ||
        mailbox_parse(text, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, work->search.arena, &sender) !=
            PARSE_OK ||
        !rewriter_complete(&work->search, span_empty(), &sender))
        return;
    (void)rewriter_canonical(&work->search, "envelope_sender", &sender);
    if (!span_equals(sender.text, text))
        expansion->sender = sender.text;
    if (flags & ADDR_EXPAND_COPIES)
        add_copies_of(work, resolver->tables.sender_copies, &sender);
}

/* ---- all of it ---- */

/* Each address once for each that was meant. */
static void finish(struct work *work, struct expansion *expansion)
{
    struct search *search = &work->search;
    struct map seen;

    if (search->has_failed || work->is_over_limit) {
        expansion->outcome = work->is_over_limit ? too_large() : resolver_lookup_failure();
        return;
    }
    expansion->all = arena_alloc(search->arena, work->count * sizeof(*expansion->all));
    if (!expansion->all) {
        (void)search_note_memory(search);
        expansion->outcome = resolver_lookup_failure();
        return;
    }
    map_init(&seen, search->resolver->seed);
    for (size_t i = 0; i < work->count && !search->has_failed; i++) {
        const struct item *item = &work->items[i];
        const struct span key =
            work->count == 1 ? span_empty()
                             : arena_format(search->arena, "%.*s %.*s", SPAN_PRINTF(item->original),
                                            SPAN_PRINTF(item->address.text));
        if (!key.bytes)
            (void)search_note_memory(search);
        else if (work->count == 1 || add_text(search, &seen, key))
            expansion->all[expansion->count++] =
                (struct expanded){item->address.text, item->original, item->is_copy};
    }
    map_destroy(&seen);
    if (search->has_failed)
        expansion->outcome = resolver_lookup_failure();
}

void expander_expand(struct resolver *resolver, const struct mailbox *recipient, struct span sender,
                     unsigned flags, struct arena *arena, struct expansion *expansion)
{
    struct work work = {.search = {.resolver = resolver, .arena = arena}};
    struct item item = {.address = *recipient, .original = span_empty()};
    const struct addr_tables *tables = &resolver->tables;

    *expansion = (struct expansion){.outcome = outcome_ok()};
    map_init(&work.kept, resolver->seed);
    expansion->is_known = rewriter_canonical(&work.search, "envelope_recipient", &item.address);
    const struct mailbox rewritten = item.address;
    if (put_item(&work, &item) && !work.search.has_failed && expand_all(&work, 0))
        expansion->is_known = true;
    if (flags & ADDR_EXPAND_NOTHING) {
        work.items[0].address = *recipient; /* whether it exists is all that counts */
        work.count = work.count ? 1 : 0;
        work.is_over_limit = false;
        flags = 0;
    }
    if (flags & ADDR_EXPAND_COPIES)
        add_copies_of(&work, tables->recipient_copies, &rewritten);
    if ((flags & ADDR_EXPAND_FIRST) && !work.search.has_failed)
        take_sender(&work, sender, flags, expansion);
    if ((flags & ADDR_EXPAND_FIRST) && (flags & ADDR_EXPAND_COPIES) && !work.search.has_failed &&
        resolver->settings->always_bcc.length)
        add_copy(&work, resolver->settings->always_bcc);
    finish(&work, expansion);
    map_destroy(&work.kept);
}

void expander_expand_named(struct resolver *resolver, struct span recipient, struct span sender,
                           unsigned flags, struct arena *arena, struct expansion *expansion)
{
    struct search search = {.resolver = resolver, .arena = arena};
    struct mailbox mailbox;

    if (mailbox_parse(recipient, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, arena, &mailbox) ==
            PARSE_OK &&
        !mailbox_is_null(&mailbox) && rewriter_complete(&search, span_empty(), &mailbox)) {
        expander_expand(resolver, &mailbox, sender, flags, arena, expansion);
        return;
    }
    *expansion =
        (struct expansion){.outcome = search.has_failed ? resolver_lookup_failure()
                                                        : outcome_permanent(501, 1, 3,
                                                                            "Bad recipient address "
                                                                            "syntax")};
}
