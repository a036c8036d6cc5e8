/* tls/policy - see policy.h. */
#include "tls/policy.h"

#include <stdio.h>

#include "base/buffer.h"

static const char separators[] = ", \t\r\n";

static const struct {
    const char *name;
    enum tls_level level;
} levels[] = {
    {"none", TLS_LEVEL_NONE},           {"may", TLS_LEVEL_MAY},
    {"encrypt", TLS_LEVEL_ENCRYPT},     {"fingerprint", TLS_LEVEL_FINGERPRINT},
    {"half-dane", TLS_LEVEL_HALF_DANE}, /* comes about, and is no setting */
    {"dane", TLS_LEVEL_DANE},           {"dane-only", TLS_LEVEL_DANE_ONLY},
    {"verify", TLS_LEVEL_VERIFY},       {"secure", TLS_LEVEL_SECURE},
};

bool tls_level_from_name(struct span name, enum tls_level *level)
{
    for (size_t i = 0; i < ARRAY_LENGTH(levels); i++)
        if (levels[i].level != TLS_LEVEL_HALF_DANE &&
            span_equals_ascii_nocase(name, span_from_string(levels[i].name))) {
            *level = levels[i].level;
            return true;
        }
    return false;
}

const char *tls_level_name(enum tls_level level)
{
    for (size_t i = 0; i < ARRAY_LENGTH(levels); i++)
        if (levels[i].level == level)
            return levels[i].name;
    return "invalid";
}

bool tls_policy_from_site(struct span word, enum tls_level *level)
{
    static const struct {
        const char *name;
        enum tls_level level;
    } sites[] = {{"NONE", TLS_LEVEL_NONE},
                 {"MAY", TLS_LEVEL_MAY},
                 {"MUST_NOPEERMATCH", TLS_LEVEL_ENCRYPT},
                 {"MUST", TLS_LEVEL_VERIFY}};
    for (size_t i = 0; i < ARRAY_LENGTH(sites); i++)
        if (span_equals_ascii_nocase(word, span_from_string(sites[i].name))) {
            *level = sites[i].level;
            return true;
        }
    return false;
}

struct reader {
    struct arena *arena;
    struct tls_policy *policy;
    char *problem;
};

static enum parse_result fail(const struct reader *reader, const char *what, struct span name)
{
    (void)snprintf(reader->problem, TLS_POLICY_PROBLEM_BYTES, "%s \"%.*s\"", what,
                   SPAN_PRINTF(span_first(name, TLS_POLICY_PROBLEM_BYTES / 2)));
    return PARSE_MALFORMED;
}

static enum parse_result fail_at_level(const struct reader *reader, struct span name)
{
    (void)snprintf(reader->problem, TLS_POLICY_PROBLEM_BYTES,
                   "attribute \"%.*s\" has no meaning at level \"%s\"",
                   SPAN_PRINTF(span_first(name, TLS_POLICY_PROBLEM_BYTES / 3)),
                   tls_level_name(reader->policy->level));
    return PARSE_MALFORMED;
}

/* The value's words, behind those that are there already. */
static enum parse_result add_words(const struct reader *reader, struct span value,
                                   const char *between, struct span *list)
{
    struct buffer words;
    struct span word;
    buffer_init(&words, reader->arena, 2 * TLS_POLICY_MAX_BYTES);
    if (list->bytes)
        buffer_append_span(&words, *list);
    while (span_next_word(&value, between, &word)) {
        if (words.length > 0)
            buffer_append_byte(&words, ' ');
        buffer_append_span(&words, word);
    }
    if (!buffer_ok(&words))
        return PARSE_TOO_LONG;
    *list = buffer_span(&words);
    return PARSE_OK;
}

static enum parse_result read_choice(const struct reader *reader, struct span name,
                                     struct span value)
{
    struct tls_policy *policy = reader->policy;
    const bool is_yes = span_equals_ascii_nocase(value, SPAN("yes"));
    if (!is_yes && !span_equals_ascii_nocase(value, SPAN("no")))
        return fail(reader, "neither yes nor no:", value);
    /* Raw public keys (RFC 7250) need an OpenSSL of 3.2; without them certificates are asked for,
     * as everywhere. */
    if (span_equals_ascii_nocase(name, SPAN("enable_rpk")))
        return PARSE_OK;
    policy->has_connection_reuse = true;
    policy->connection_reuse = is_yes;
    return PARSE_OK;
}

static enum parse_result read_attribute(const struct reader *reader, struct span name,
                                        struct span value)
{
    struct tls_policy *policy = reader->policy;
    const bool has_fingerprints = policy->level == TLS_LEVEL_FINGERPRINT;
    if (span_is_empty(value))
        return fail(reader, "no value for attribute", name);
    if (span_equals_ascii_nocase(name, SPAN("protocols")))
        return add_words(reader, value, ":", &policy->protocols);
    if (span_equals_ascii_nocase(name, SPAN("exclude")))
        return add_words(reader, value, ":", &policy->exclusions);
    if (span_equals_ascii_nocase(name, SPAN("ciphers"))) {
        policy->ciphers = value;
        return PARSE_OK;
    }
    if (span_equals_ascii_nocase(name, SPAN("servername"))) {
        policy->server_name = value;
        return PARSE_OK;
    }
    if (span_equals_ascii_nocase(name, SPAN("match")))
        return has_fingerprints || tls_level_is_pkix(policy->level)
                   ? add_words(reader, value, has_fingerprints ? "|" : ":", &policy->matches)
                   : fail_at_level(reader, name);
    if (span_equals_ascii_nocase(name, SPAN("tafile")))
        return tls_level_is_pkix(policy->level)
                   ? add_words(reader, value, " ", &policy->anchor_files)
                   : fail_at_level(reader, name);
    if (span_equals_ascii_nocase(name, SPAN("enable_rpk")) ||
        span_equals_ascii_nocase(name, SPAN("connection_reuse")))
        return read_choice(reader, name, value);
    return fail(reader, "unknown attribute", name);
}

enum parse_result tls_policy_parse(struct span text, struct arena *arena, struct tls_policy *policy,
                                   char problem[TLS_POLICY_PROBLEM_BYTES])
{
    const struct reader reader = {arena, policy, problem};
    struct span rest = text, word, name, value;
    *policy = (struct tls_policy){.level = TLS_LEVEL_NONE};
    problem[0] = '\0';
    if (text.length > TLS_POLICY_MAX_BYTES) {
        (void)snprintf(problem, TLS_POLICY_PROBLEM_BYTES, "the entry is too long");
        return PARSE_TOO_LONG;
    }
    if (!span_next_word(&rest, separators, &word))
        return fail(&reader, "no level in", text);
    if (!tls_level_from_name(word, &policy->level))
        return fail(&reader, "unknown level", word);
    while (span_next_word(&rest, separators, &word)) {
        if (!span_split_once(word, '=', &name, &value))
            return fail(&reader, "no attribute=value:", word);
        const enum parse_result result = read_attribute(&reader, name, value);
        if (result == PARSE_TOO_LONG)
            (void)snprintf(problem, TLS_POLICY_PROBLEM_BYTES, "out of memory");
        if (result != PARSE_OK)
            return result;
    }
    return PARSE_OK;
}
