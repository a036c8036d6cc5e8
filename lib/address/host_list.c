/* address/host_list - see host_list.h. */
#include "address/host_list.h"

static const char separators[] = ", \t\r\n";

static struct host_pattern parse_pattern(struct span word, struct arena *arena)
{
    struct host_pattern pattern = {.name = span_empty()};
    struct ip_network_list networks;
    struct span bad_word;
    while (word.length && word.bytes[0] == '!') {
        pattern.is_negated = !pattern.is_negated;
        word = span_after(word, 1);
    }
    if (ip_network_list_parse(word, arena, &networks, &bad_word) == PARSE_OK &&
        networks.count == 1) {
        pattern.is_network = true;
        pattern.network = networks.networks[0];
    } else {
        pattern.name = word;
    }
    return pattern;
}

bool host_list_parse(struct span text, struct arena *arena, struct host_list *list)
{
    struct span word;
    size_t count = 0;
    for (struct span rest = text; span_next_word(&rest, separators, &word);)
        count++;
    struct host_pattern *patterns = arena_alloc(arena, count * sizeof(*patterns));
    if (!patterns)
        return false;
    size_t i = 0;
    for (struct span rest = text; span_next_word(&rest, separators, &word);)
        patterns[i++] = parse_pattern(word, arena);
    *list = (struct host_list){patterns, count};
    return true;
}

static bool matches(const struct host_pattern *pattern, const struct ip_address *address,
                    struct span name)
{
    if (pattern->is_network) {
        const struct ip_network_list one = {(struct ip_network *)(uintptr_t)&pattern->network, 1};
        return ip_network_list_has(&one, address);
    }
    if (span_starts_with(pattern->name, SPAN(".")))
        return name.length > pattern->name.length &&
               span_ends_with_ascii_nocase(name, pattern->name);
    return pattern->name.length > 0 && span_equals_ascii_nocase(name, pattern->name);
}

bool host_list_has(const struct host_list *list, const struct ip_address *address, struct span name)
{
    for (size_t i = 0; i < list->count; i++)
        if (matches(&list->patterns[i], address, name))
            return !list->patterns[i].is_negated;
    return false;
}
