/* mtasts/policy - see policy.h. */
#include "mtasts/policy.h"

#include "base/ascii.h"
#include "base/number.h"
#include "base/tag_list.h"
#include "dnswire/name.h"

enum { AGE_MAX_DIGITS = 10, MODE_COUNT = MTASTS_ENFORCE + 1 };

/* "mx: " and the LF, "version: STSv1", "mode: enforce", "max_age: 31557600". */
enum { PATTERN_LINE_EXTRA_BYTES = 5, OTHER_LINES_MAX_BYTES = 64 };

const char *mtasts_mode_name(enum mtasts_mode mode)
{
    static const char *const names[MODE_COUNT] = {
        [MTASTS_NONE] = "none", [MTASTS_TESTING] = "testing", [MTASTS_ENFORCE] = "enforce"};
    return (unsigned)mode < MODE_COUNT ? names[mode] : "unknown";
}

static bool mode_from_name(struct span name, enum mtasts_mode *mode)
{
    for (int i = 0; i < MODE_COUNT; i++)
        if (span_equals(name, span_from_string(mtasts_mode_name((enum mtasts_mode)i)))) {
            *mode = (enum mtasts_mode)i;
            return true;
        }
    return false;
}

/* ---- lines ---- */

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((text.bytes[i] < 0x20 && text.bytes[i] != '\t') || text.bytes[i] == 0x7f)
            return true;
    return false;
}

/* The next line off *rest, its end (LF or CR LF) removed. */
static bool next_line(struct span *rest, struct span *line)
{
    if (span_is_empty(*rest))
        return false;
    (void)span_split_once(*rest, '\n', line, rest);
    if (line->length > 0 && line->bytes[line->length - 1] == '\r')
        *line = span_first(*line, line->length - 1);
    return true;
}

static bool split_field(struct span line, struct span *name, struct span *value)
{
    if (has_control(line) || !span_split_once(line, ':', name, value) || !tag_list_is_name(*name))
        return false;
    *value = span_trim_spaces(*value);
    return true;
}

/* ["*."] Domain. Underscores are let through, because names of real hosts have them. */
static bool is_pattern(struct span text)
{
    if (text.length > MTASTS_PATTERN_MAX_BYTES)
        return false;
    return dns_name_is_mail_host(span_starts_with(text, SPAN("*.")) ? span_after(text, 2) : text);
}

bool mtasts_policy_next_pattern(struct span *rest, struct span *pattern)
{
    struct span line, name;
    while (next_line(rest, &line))
        if (split_field(line, &name, pattern) && span_equals(name, SPAN("mx")))
            return true;
    return false;
}

/* ---- the policy ---- */

struct reading {
    struct mtasts_policy policy;
    bool has_version, has_mode, has_max_age;
    size_t length_bytes; /* of the patterns' lines, as mtasts_policy_append() writes them */
};

static enum parse_result take_field(struct reading *reading, struct span name, struct span value)
{
    uint64_t number;
    if (span_equals(name, SPAN("mx"))) {
        if (!is_pattern(value))
            return PARSE_MALFORMED;
        reading->policy.pattern_count++;
        reading->length_bytes += value.length + PATTERN_LINE_EXTRA_BYTES;
        return reading->length_bytes > MTASTS_POLICY_MAX_BYTES - OTHER_LINES_MAX_BYTES
                   ? PARSE_TOO_LONG
                   : PARSE_OK;
    }
    if (span_equals(name, SPAN("version")) && !reading->has_version) {
        reading->has_version = true;
        return span_equals(value, SPAN("STSv1")) ? PARSE_OK : PARSE_MALFORMED;
    }
    if (span_equals(name, SPAN("mode")) && !reading->has_mode) {
        reading->has_mode = true;
        return mode_from_name(value, &reading->policy.mode) ? PARSE_OK : PARSE_MALFORMED;
    }
    if (span_equals(name, SPAN("max_age")) && !reading->has_max_age) {
        reading->has_max_age = true;
        if (value.length > AGE_MAX_DIGITS || !number_parse_uint64(value, UINT64_MAX, &number))
            return PARSE_MALFORMED;
        reading->policy.max_age_s =
            number > MTASTS_MAX_AGE_S ? (uint32_t)MTASTS_MAX_AGE_S : (uint32_t)number;
    }
    return PARSE_OK;
}

enum parse_result mtasts_policy_parse(struct span body, struct mtasts_policy *policy)
{
    struct reading reading = {.policy.text = body};
    struct span rest = body, line, name, value;
    if (body.length > MTASTS_BODY_MAX_BYTES)
        return PARSE_TOO_LONG;
    while (next_line(&rest, &line)) {
        /* Not in the grammar, but what an editor leaves behind; refusing it would only take the
         * protection away. */
        if (span_is_empty(span_trim_spaces(line)))
            continue;
        if (!split_field(line, &name, &value))
            return PARSE_MALFORMED;
        const enum parse_result result = take_field(&reading, name, value);
        if (result != PARSE_OK)
            return result;
    }
    if (!reading.has_version || !reading.has_mode || !reading.has_max_age ||
        (reading.policy.pattern_count == 0 && reading.policy.mode != MTASTS_NONE))
        return PARSE_MALFORMED;
    *policy = reading.policy;
    return PARSE_OK;
}

/* The asterisk stands for one whole label, the first. */
static bool matches(struct span pattern, struct span host)
{
    if (!span_starts_with(pattern, SPAN("*.")))
        return span_equals_ascii_nocase(pattern, host);
    const size_t dot = span_find_byte(host, '.');
    return dot > 0 && dot < host.length &&
           span_equals_ascii_nocase(span_after(pattern, 1), span_after(host, dot));
}

bool mtasts_policy_matches(const struct mtasts_policy *policy, struct span host)
{
    struct span rest = policy->text, pattern;
    if (policy->mode == MTASTS_NONE)
        return true;
    if (span_ends_with(host, SPAN(".")))
        host = span_first(host, host.length - 1);
    while (mtasts_policy_next_pattern(&rest, &pattern))
        if (matches(pattern, host))
            return true;
    return false;
}

void mtasts_policy_append(const struct mtasts_policy *policy, struct buffer *out)
{
    struct span rest = policy->text, pattern;
    buffer_append_format(out, "version: STSv1\nmode: %s\n", mtasts_mode_name(policy->mode));
    while (mtasts_policy_next_pattern(&rest, &pattern))
        buffer_append_format(out, "mx: %.*s\n", SPAN_PRINTF(pattern));
    buffer_append_format(out, "max_age: %u\n", (unsigned)policy->max_age_s);
}
