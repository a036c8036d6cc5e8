/* addrd/rewriter - see rewriter.h. */
#include "rewriter.h"

#include "address/rewrite.h"
#include "address/scan.h"
#include "table/address_lookup.h"
#include "table/names.h"

enum {
    REWRITER_SPARE_BYTES = 8192, /* more than any step over an address takes */
    REWRITER_VALUES_FIRST = 8
};

/* The functions of lib/address do not tell nonsense from a lack of memory; mail is not to be
 * refused for the latter. Always false. */
static bool refuse(struct search *search)
{
    return arena_alloc(search->arena, REWRITER_SPARE_BYTES) ? false : search_note_memory(search);
}

bool rewriter_has_word(struct span words, const char *word)
{
    struct span next;
    while (table_next_name(&words, &next))
        if (span_equals_ascii_nocase(next, span_from_string(word)))
            return true;
    return false;
}

/* ---- completion ---- */

bool rewriter_complete(struct search *search, struct span remote_domain, struct mailbox *address)
{
    const struct conf_addrd *settings = search->resolver->settings;
    const bool is_remote = remote_domain.length > 0;
    const struct address_completion rules = {
        .myorigin = is_remote ? remote_domain : settings->myorigin,
        .mydomain = is_remote ? remote_domain : settings->mydomain,
        .append_at_myorigin = settings->append_at_myorigin,
        .append_dot_mydomain = settings->append_dot_mydomain,
        .allow_percent_hack = settings->allow_percent_hack};
    const struct span local_part = address->local_part;
    const size_t bang = span_find_byte(local_part, '!');

    if (address->domain.length == 0 && settings->swap_bangpath && bang > 0 &&
        bang + 1 < local_part.length &&
        !mailbox_set(address, span_after(local_part, bang + 1), span_first(local_part, bang),
                     search->arena))
        return refuse(search);
    return address_complete(&rules, address, search->arena, address) || refuse(search);
}

/* ---- what tables say ---- */

static struct mailbox *add_value(struct search *search, struct rewriter_values *values,
                                 size_t *capacity)
{
    if (values->count == *capacity) {
        const size_t grown = *capacity ? *capacity * 2 : REWRITER_VALUES_FIRST;
        struct mailbox *all = arena_alloc(search->arena, grown * sizeof(*all));
        if (!all) {
            (void)search_note_memory(search);
            return NULL;
        }
        if (values->count)
            memcpy(all, values->all, values->count * sizeof(*all));
        values->all = all;
        *capacity = grown;
    }
    return &values->all[values->count];
}

/* user@dom with "+ext" is user+ext@dom. */
static bool set_value_with(struct search *search, const struct address_found *found,
                           const struct mailbox *address, struct span extension,
                           struct mailbox *value)
{
    struct span local_part = found->local_part;
    if (found->has_at && local_part.length == 0) {
        local_part = address->local_part;
    } else if (extension.length) {
        local_part = arena_format(search->arena, "%.*s%.*s", SPAN_PRINTF(local_part),
                                  SPAN_PRINTF(extension));
        if (!local_part.bytes)
            return search_note_memory(search);
    }
    if (!mailbox_set(value, local_part, found->domain, search->arena))
        return refuse(search);
    return rewriter_complete(search, span_empty(), value);
}

/* The extension is a stranger's: what it makes no address, too long or by a "!" in it, is one
 * without it. */
static bool set_value(struct search *search, const struct address_found *found,
                      const struct mailbox *address, struct span extension, struct mailbox *value)
{
    return set_value_with(search, found, address, extension, value) ||
           (extension.length && !search->has_failed &&
            set_value_with(search, found, address, span_empty(), value));
}

bool rewriter_read_values(struct search *search, struct span value, const struct mailbox *address,
                          struct span extension, struct rewriter_values *values)
{
    struct address_found found;
    size_t position = 0;
    size_t capacity = 0;
    enum parse_result result;

    *values = (struct rewriter_values){.count = 0};
    while ((result = address_scan_next(value, ADDRESS_SCAN_VALUE, &position, search->arena,
                                       &found)) == PARSE_OK) {
        struct mailbox *next = add_value(search, values, &capacity);
        if (!next)
            return false;
        /* Nonsense among others is an operator's mistake: nobody's mail is lost for it. */
        if (!set_value(search, &found, address, extension, next)) {
            if (!search->has_failed)
                (void)search_note(search, TABLE_ERROR,
                                  SPAN("a table's value holds what is no address"));
            return false;
        }
        values->count++;
    }
    if (result == PARSE_TOO_LONG)
        return search_note_memory(search);
    return values->count > 0 ||
           search_note(search, TABLE_ERROR, SPAN("a table's value holds no address"));
}

bool rewriter_map(struct search *search, struct table_list *list, bool keeps_extension,
                  struct mailbox *address)
{
    struct rewriter_values values;
    struct span extension;

    if (table_list_is_empty(list) || mailbox_is_null(address))
        return false;
    const struct span domain = search_fold_domain(search, address->domain);
    if (!domain.bytes)
        return false;
    const struct search_address wanted = {
        address, domain, search_is_local_domain(search, address, domain), TABLE_ADDRESS_RECIPIENT};
    const struct span value = search_address(search, list, &wanted, &extension);
    if (!value.bytes || search->has_failed ||
        !rewriter_read_values(search, value, address, keeps_extension ? extension : span_empty(),
                              &values))
        return false;
    *address = values.all[0];
    return true;
}

/* ---- masquerading: postconf(5) masquerade_domains ---- */

static bool is_excepted(struct search *search, const struct mailbox *address)
{
    return search_is_in(search, search->resolver->tables.masquerade_exceptions,
                        address->local_part);
}

/* The first word that is the domain or a parent of it decides; "!" leaves the address alone. */
static void masquerade(struct search *search, struct mailbox *address)
{
    struct span words = search->resolver->settings->masquerade_domains;
    struct span word;

    if (address->domain.length == 0 || address->is_address_literal)
        return;
    while (table_next_name(&words, &word)) {
        bool is_left_alone = false;
        for (; word.length && word.bytes[0] == '!'; word = span_after(word, 1))
            is_left_alone = !is_left_alone;
        if (word.length == 0 || !address_domain_is_within(address->domain, word))
            continue;
        if (is_left_alone || address_domain_equals(address->domain, word) ||
            is_excepted(search, address) || search->has_failed)
            return;
        const struct span domain = search_fold_domain(search, word);
        if (domain.bytes && !mailbox_set(address, address->local_part, domain, search->arena))
            (void)refuse(search);
        return;
    }
}

/* ---- classes ---- */

static bool keeps_extension(const struct resolver *resolver, const char *kind)
{
    return rewriter_has_word(resolver->settings->propagate_unmatched_extensions, kind);
}

bool rewriter_canonical(struct search *search, const char *class, struct mailbox *address)
{
    const struct conf_addrd *settings = search->resolver->settings;
    const struct addr_tables *tables = &search->resolver->tables;
    const struct {
        struct table_list *list;
        struct span classes;
    } steps[] = {{tables->sender_canonical, settings->sender_canonical_classes},
                 {tables->recipient_canonical, settings->recipient_canonical_classes},
                 {tables->canonical, settings->canonical_classes}};
    bool is_mapped = false;

    for (size_t i = 0; i < ARRAY_LENGTH(steps) && !search->has_failed; i++)
        if (!table_list_is_empty(steps[i].list) && rewriter_has_word(steps[i].classes, class) &&
            rewriter_map(search, steps[i].list, keeps_extension(search->resolver, "canonical"),
                         address))
            is_mapped = true;
    if (!search->has_failed && settings->masquerade_domains.length &&
        rewriter_has_word(settings->masquerade_classes, class))
        masquerade(search, address);
    return is_mapped;
}

bool rewriter_is_needed(const struct resolver *resolver)
{
    const struct addr_tables *tables = &resolver->tables;
    return !table_list_is_empty(tables->canonical) ||
           !table_list_is_empty(tables->sender_canonical) ||
           !table_list_is_empty(tables->recipient_canonical) ||
           resolver->settings->masquerade_domains.length > 0;
}

struct outcome rewriter_rewrite(struct resolver *resolver, enum addr_rewriting kind,
                                struct span address, struct arena *arena, struct span *rewritten)
{
    static const char *const classes[] = {[ADDR_REWRITE_ENVELOPE_SENDER] = "envelope_sender",
                                          [ADDR_REWRITE_HEADER_SENDER] = "header_sender",
                                          [ADDR_REWRITE_HEADER_RECIPIENT] = "header_recipient",
                                          [ADDR_REWRITE_REMOTE_SENDER] = "header_sender",
                                          [ADDR_REWRITE_REMOTE_RECIPIENT] = "header_recipient"};
    struct search search = {.resolver = resolver, .arena = arena};
    const bool is_remote =
        kind == ADDR_REWRITE_REMOTE_SENDER || kind == ADDR_REWRITE_REMOTE_RECIPIENT;
    const bool is_generic = kind == ADDR_REWRITE_GENERIC || kind == ADDR_REWRITE_LMTP_GENERIC;
    struct mailbox mailbox;

    *rewritten = address;
    if (mailbox_parse(address, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, arena, &mailbox) != PARSE_OK ||
        mailbox_is_null(&mailbox))
        return outcome_ok();
    /* generic(5): mail that leaves has been completed long ago. */
    if (!is_generic &&
        !rewriter_complete(
            &search, is_remote ? resolver->settings->remote_header_rewrite_domain : span_empty(),
            &mailbox))
        return search.has_failed ? resolver_lookup_failure() : outcome_ok();
    if (is_generic)
        (void)rewriter_map(&search,
                           kind == ADDR_REWRITE_GENERIC ? resolver->tables.smtp_generic
                                                        : resolver->tables.lmtp_generic,
                           keeps_extension(resolver, "generic"), &mailbox);
    else
        (void)rewriter_canonical(&search, classes[kind], &mailbox);
    if (search.has_failed)
        return resolver_lookup_failure();
    *rewritten = mailbox.text;
    return outcome_ok();
}
