/* table/cidr - cidr:FILE, networks as cidr_table(5) of Postfix has them: 192.0.2.0/24 and
 * 2001:db8::/32, an address alone, or [2001:db8::]/32. The key is an address. */
#include <arpa/inet.h>

#include "base/ascii.h"
#include "base/number.h"
#include "table/rules.h"

enum { CIDR_BYTES_MAX = 16, CIDR_TEXT_MAX_BYTES = 64 };

struct network {
    uint8_t bytes[CIDR_BYTES_MAX];
    size_t byte_count; /* 4 or 16; 0: none */
    size_t bit_count;
};

/* An address without brackets. */
static bool parse_address(struct span text, struct network *network)
{
    char string[CIDR_TEXT_MAX_BYTES];
    const bool is_ipv6 = span_find_byte(text, ':') < text.length;

    *network = (struct network){.byte_count = 0};
    if (!text.length || text.length >= sizeof(string) || span_find_byte(text, '\0') < text.length)
        return false;
    memcpy(string, text.bytes, text.length);
    string[text.length] = '\0';
    if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, string, network->bytes) != 1)
        return false;
    network->byte_count = is_ipv6 ? 16 : 4;
    network->bit_count = network->byte_count * 8;
    return true;
}

/* Sets the bits behind the mask to zero; false when one of them was not. */
static bool clear_host_bits(struct network *network)
{
    bool was_clear = true;

    for (size_t i = 0; i < network->byte_count; i++) {
        const size_t kept = network->bit_count > i * 8 ? network->bit_count - i * 8 : 0;
        const uint8_t mask = (uint8_t)(kept >= 8 ? 0xffU : 0xff00U >> kept);
        was_clear = was_clear && !(network->bytes[i] & ~mask);
        network->bytes[i] &= mask;
    }
    return was_clear;
}

/* Takes the brackets off: [address/bits] or [address]/bits. NULL or what is wrong. */
static const char *split_network(struct span text, struct span *address, struct span *bits)
{
    struct span behind = span_empty();

    if (span_starts_with(text, span_from_string("["))) {
        const size_t close = span_find_byte(text, ']');
        if (close == text.length)
            return "missing ']' character in";
        behind = span_after(text, close + 1);
        text = span_between(text, 1, close);
        if (behind.length && behind.bytes[0] != '/')
            return "garbage after ']' in";
    }
    if (behind.length) {
        *address = text;
        *bits = span_after(behind, 1);
    } else if (!span_split_once(text, '/', address, bits)) {
        *address = text;
        *bits = (struct span){NULL, 0};
    }
    return NULL;
}

/* NULL or what is wrong. */
static const char *parse_network(struct span text, struct network *network)
{
    struct span address, bits;
    uint64_t count;
    const char *problem = split_network(text, &address, &bits);

    if (problem)
        return problem;
    if (!parse_address(address, network))
        return bits.bytes ? "bad network value in" : "bad address pattern:";
    if (!bits.bytes)
        return NULL;
    if (!number_parse_uint64(bits, network->bit_count, &count))
        return "bad mask length in";
    network->bit_count = (size_t)count;
    return NULL;
}

static void warn_of_host_bits(struct table *table, const struct rule *rule, struct span text,
                              const struct network *network)
{
    char address[INET6_ADDRSTRLEN] = "";

    (void)inet_ntop(network->byte_count == 16 ? AF_INET6 : AF_INET, network->bytes, address,
                    sizeof(address)); /* cannot fail: there is room */
    rules_warn(table, rule->line_number,
               "non-null host address bits in \"%.*s\", perhaps you should use \"%s/%zu\" instead: "
               "skipping this rule",
               SPAN_PRINTF(span_first(text, 100)), address, network->bit_count);
}

static bool cidr_take_pattern(struct table *table, struct rule *rule, struct span *rest)
{
    struct rules *rules = table->state;
    struct network *network = arena_alloc(&rules->arena, sizeof(*network));
    size_t end = 0;

    if (!network) {
        rules->is_out_of_memory = true;
        return false;
    }
    for (; rest->length && (rest->bytes[0] == '!' || ascii_is_space(rest->bytes[0]));
         *rest = span_after(*rest, 1))
        if (rest->bytes[0] == '!')
            rule->is_negated = !rule->is_negated;
    while (end < rest->length && !ascii_is_space(rest->bytes[end]))
        end++;
    const struct span text = span_first(*rest, end);
    *rest = span_after(*rest, end);
    if (!text.length) {
        rules_warn(table, rule->line_number, "no address pattern: skipping this rule");
        return false;
    }
    const char *problem = parse_network(text, network);
    if (problem) {
        rules_warn(table, rule->line_number, "%s \"%.*s\": skipping this rule", problem,
                   SPAN_PRINTF(span_first(text, 100)));
        return false;
    }
    if (!clear_host_bits(network)) {
        warn_of_host_bits(table, rule, text, network);
        return false;
    }
    rule->pattern = network;
    return true;
}

/* The address is parsed once for all rules. */
static bool cidr_take_key(struct table *table, struct span key)
{
    const struct rules *rules = table->state;
    return parse_address(key, rules->dialect_state);
}

static enum rule_verdict cidr_match(struct table *table, const struct rule *rule,
                                    struct span key UNUSED, struct rule_groups *groups UNUSED)
{
    const struct rules *rules = table->state;
    const struct network *network = rule->pattern;
    struct network address = *(const struct network *)rules->dialect_state;

    if (address.byte_count != network->byte_count)
        return RULE_IS_APART; /* what is no IPv4 address is outside of no IPv4 network */
    address.bit_count = network->bit_count;
    (void)clear_host_bits(&address); /* that there are some is the point */
    return memcmp(address.bytes, network->bytes, network->byte_count) == 0 ? RULE_MATCHES
                                                                           : RULE_DIFFERS;
}

static bool cidr_open(struct table *table, struct span argument)
{
    static const struct rule_dialect dialect = {.name = "cidr",
                                                .take_pattern = cidr_take_pattern,
                                                .take_key = cidr_take_key,
                                                .match = cidr_match,
                                                .needs_result = true,
                                                .has_bare_blocks = true};
    struct network *address = arena_alloc(&table->arena, sizeof(*address));

    if (!address || !rules_open(table, argument, &dialect))
        return false;
    ((struct rules *)table->state)->dialect_state = address;
    return true;
}

const struct table_kind table_kind_cidr = {.type = "cidr",
                                           .open = cidr_open,
                                           .lookup = rules_lookup,
                                           .prepare = rules_prepare,
                                           .close = rules_close};
