/* table/clients - see clients.h. */
#include "table/clients.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/map.h"
#include "system/random.h"
#include "table/names.h"

enum { LIST_MAX_BYTES = 64 * 1024 * 1024, SHOWN_BYTES = 200 };

enum pattern_kind { PATTERN_HOST, PATTERN_KEYS, PATTERN_TABLE };

struct pattern {
    struct pattern *next;
    enum pattern_kind kind;
    bool is_negated;
    struct host_list host; /* one word */
    struct map keys;       /* of a table that lists its entries */
    struct table *table;
};

struct client_list {
    struct arena arena;
    struct pattern *first;
    struct pattern **end;
};

struct opening {
    struct client_list *list;
    struct buffer *error;
};

static bool fail(struct opening *opening, const char *what, struct span word)
{
    buffer_append_format(opening->error, "%.*s: %s", SPAN_PRINTF(span_first(word, SHOWN_BYTES)),
                         what);
    return false;
}

static struct pattern *add_pattern(struct opening *opening, enum pattern_kind kind, bool is_negated)
{
    struct client_list *list = opening->list;
    struct pattern *pattern = arena_alloc(&list->arena, sizeof(*pattern));
    if (!pattern) {
        (void)fail(opening, "memory is out", span_empty());
        return NULL;
    }
    pattern->kind = kind;
    pattern->is_negated = is_negated;
    *list->end = pattern;
    list->end = &pattern->next;
    return pattern;
}

struct key_taking {
    struct opening *opening;
    struct pattern *pattern;
    bool is_complete;
};

static bool take_key(void *context, struct span key, struct span value UNUSED)
{
    struct key_taking *taking = context;
    struct arena *arena = &taking->opening->list->arena;
    struct map_node *node = arena_alloc(arena, sizeof(*node));
    const struct span copy = arena_copy(arena, key);
    taking->is_complete = node && copy.bytes;
    if (!taking->is_complete)
        return false;
    ascii_lower_in_place((uint8_t *)(uintptr_t)copy.bytes, copy.length); /* a copy of our own */
    node->key = copy;
    if (!map_find(&taking->pattern->keys, copy))
        taking->is_complete = map_insert(&taking->pattern->keys, node);
    return taking->is_complete;
}

static bool add_keys(struct opening *opening, struct table *table, bool is_negated)
{
    uint8_t seed[16];
    struct pattern *pattern = add_pattern(opening, PATTERN_KEYS, is_negated);
    struct key_taking taking = {opening, pattern, true};
    if (!pattern)
        return false;
    random_bytes(seed, sizeof(seed));
    map_init(&pattern->keys, seed);
    if (table_walk(table, take_key, &taking) != TABLE_FOUND)
        return fail(opening, "cannot be read", table_name(table));
    return taking.is_complete || fail(opening, "memory is out", table_name(table));
}

static bool begins_with_type(struct span word, const char *type)
{
    struct span before, after;
    (void)span_split_once(word, ':', &before, &after);
    if (span_equals(before, SPAN("proxy")))
        (void)span_split_once(after, ':', &before, &after);
    return span_equals(before, span_from_string(type));
}

enum table_use { TABLE_IS_UNUSABLE, TABLE_IS_KEPT, TABLE_IS_WALKED };

static enum table_use table_use_of(struct span word)
{
    /* Not those with expressions, whose match may take as long as it likes. */
    static const char *const kept[] = {"inline", "static", "texthash"};
    static const char *const walked[] = {"hash", "btree"};
    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++)
        if (begins_with_type(word, kept[i]))
            return TABLE_IS_KEPT;
    for (size_t i = 0; i < ARRAY_LENGTH(walked); i++)
        if (begins_with_type(word, walked[i]))
            return TABLE_IS_WALKED;
    return TABLE_IS_UNUSABLE;
}

static struct table *open_table(struct opening *opening, struct span word)
{
    const struct table_options options = {.flags = TABLE_READ_ONCE};
    if (table_use_of(word) == TABLE_IS_UNUSABLE) {
        (void)fail(opening,
                   "a list of clients is held in memory, which this type of table cannot be; use "
                   "cidr, texthash, hash or another that lists its entries",
                   word);
        return NULL;
    }
    return table_open(word, &options, opening->error);
}

static bool add_table(struct opening *opening, struct span word, bool is_negated)
{
    struct table *table = open_table(opening, word);
    if (!table)
        return false;
    if (table_prepare(table) != TABLE_FOUND) {
        buffer_append_span(opening->error, table_error(table));
        table_close(&table);
        return false;
    }
    if (table_use_of(word) == TABLE_IS_WALKED) {
        const bool is_added = add_keys(opening, table, is_negated);
        table_close(&table);
        return is_added;
    }
    struct pattern *pattern = add_pattern(opening, PATTERN_TABLE, is_negated);
    if (pattern)
        pattern->table = table;
    else
        table_close(&table);
    return pattern != NULL;
}

/* Letters of a host name, or a network that was mistyped? */
static bool is_name(struct span word)
{
    bool has_letter = false;
    for (size_t i = 0; i < word.length; i++) {
        if (!ascii_is_alnum(word.bytes[i]) && !memchr("-._", word.bytes[i], 3))
            return false;
        has_letter = has_letter || !(ascii_is_digit(word.bytes[i]) || word.bytes[i] == '.');
    }
    return has_letter;
}

static bool add_host(struct opening *opening, struct span word, bool is_negated)
{
    struct arena *arena = &opening->list->arena;
    const struct span kept = arena_copy(arena, word);
    struct pattern *pattern = add_pattern(opening, PATTERN_HOST, is_negated);
    if (!pattern)
        return false;
    if (!kept.bytes || !host_list_parse(kept, arena, &pattern->host))
        return fail(opening, "memory is out", word);
    return (pattern->host.count == 1 && pattern->host.patterns[0].is_network) || is_name(word) ||
           fail(opening, "is no name, address, network, /file or type:table", word);
}

static bool is_table(struct span word)
{
    return word.bytes[0] != '[' && span_find_byte(word, ':') < word.length;
}

static bool add_word(struct opening *opening, struct span word, bool is_negated)
{
    while (word.length && word.bytes[0] == '!') {
        is_negated = !is_negated;
        word = span_after(word, 1);
    }
    if (word.length == 0)
        return fail(opening, "no pattern after '!'", SPAN("!"));
    return is_table(word) ? add_table(opening, word, is_negated)
                          : add_host(opening, word, is_negated);
}

static bool add_words(struct opening *opening, struct span words)
{
    struct span word;
    bool is_negated = false;
    while (table_next_name(&words, &word)) {
        if (span_equals(word, SPAN("!"))) { /* "! word" */
            is_negated = !is_negated;
            continue;
        }
        if (!add_word(opening, word, is_negated))
            return false;
        is_negated = false;
    }
    return !is_negated || fail(opening, "no pattern after '!'", SPAN("!"));
}

struct client_list *client_list_open(struct span words, struct buffer *error)
{
    struct client_list *list = calloc(1, sizeof(*list));
    if (!list) {
        buffer_append_string(error, "memory is out");
        return NULL;
    }
    list->end = &list->first;
    arena_init(&list->arena, LIST_MAX_BYTES, 0);
    struct opening opening = {list, error};
    if (!add_words(&opening, words))
        client_list_close(&list);
    return list;
}

static bool check_file(struct opening *opening, struct span word, struct span file)
{
    const char *path = arena_string(&opening->list->arena, file);
    return (path && access(path, R_OK) == 0) ||
           fail(opening, path ? strerror(errno) : "memory is out", word);
}

static bool check_word(struct opening *opening, struct span word)
{
    while (word.length && word.bytes[0] == '!')
        word = span_after(word, 1);
    if (word.length == 0)
        return true; /* for the word behind it */
    if (!is_table(word))
        return add_host(opening, word, false);
    struct table *table = open_table(opening, word);
    const bool is_good =
        table && (span_is_empty(table_file(table)) || check_file(opening, word, table_file(table)));
    table_close(&table);
    return is_good;
}

bool client_list_check_word(struct span word, struct buffer *error)
{
    struct client_list list = {.first = NULL};
    list.end = &list.first;
    arena_init(&list.arena, LIST_MAX_BYTES, 0);
    struct opening opening = {&list, error};
    const bool is_good = check_word(&opening, word);
    arena_destroy(&list.arena);
    return is_good;
}

void client_list_close(struct client_list **list)
{
    struct client_list *closed = *list;
    *list = NULL;
    if (!closed)
        return;
    for (struct pattern *pattern = closed->first; pattern; pattern = pattern->next) {
        table_close(&pattern->table);
        map_destroy(&pattern->keys);
    }
    arena_destroy(&closed->arena);
    free(closed);
}

/* Is the text a key? Lower case, as keys are kept. */
static bool has_key(const struct pattern *pattern, struct span text)
{
    struct buffer value;
    if (pattern->kind == PATTERN_KEYS)
        return map_find(&pattern->keys, text) != NULL;
    buffer_init(&value, NULL, TABLE_VALUE_MAX_BYTES);
    /* In memory: a lookup has no way to fail for a while. */
    const bool is_found = table_lookup(pattern->table, text, &value) == TABLE_FOUND;
    buffer_release(&value);
    return is_found;
}

/* The name, ".parent" and its parents; then the address. */
static bool table_has(const struct pattern *pattern, struct span name, struct span address)
{
    uint8_t folded[256];
    if (name.length <= sizeof(folded)) {
        memcpy(folded, name.bytes, name.length);
        ascii_lower_in_place(folded, name.length);
        struct span rest = span_of(folded, name.length);
        while (rest.length) {
            if (has_key(pattern, rest))
                return true;
            const size_t dot = span_find_byte(span_after(rest, 1), '.') + 1;
            rest = dot < rest.length ? span_after(rest, dot) : span_empty();
        }
    }
    return has_key(pattern, address);
}

bool client_list_has(const struct client_list *list, struct span name,
                     const struct ip_address *address)
{
    char text[IP_ADDRESS_TEXT_MAX_BYTES];
    if (!list || !list->first)
        return false;
    const struct span address_text = ip_address_format(address, text);
    for (const struct pattern *pattern = list->first; pattern; pattern = pattern->next) {
        bool matches = false;
        switch (pattern->kind) {
        case PATTERN_HOST:
            matches = host_list_has(&pattern->host, address, name);
            break;
        case PATTERN_KEYS:
        case PATTERN_TABLE:
            matches = table_has(pattern, name, address_text);
            break;
        }
        if (matches)
            return !pattern->is_negated;
    }
    return false;
}
