/* address/mailbox - see mailbox.h. */
#include "address/mailbox.h"

#include "base/ascii.h"
#include "base/buffer.h"
#include "base/byteset.h"
#include "base/utf8.h"

/* RFC 5322 section 3.2.3: letters, digits and !#$%&'*+-/=?^_`{|}~; UTF-8 is dealt with apart. */
static const struct byteset atext = {{0xa3ffacfa00000000, 0x7fffffffc7fffffe, 0, 0}};

static bool is_atext(uint8_t byte)
{
    return byteset_has(&atext, byte);
}

bool mailbox_is_plain(struct span local_part)
{
    bool was_dot = true;
    for (size_t i = 0; i < local_part.length; i++) {
        const uint8_t byte = local_part.bytes[i];
        if (byte == '.' ? was_dot : !is_atext(byte))
            return false;
        was_dot = byte == '.';
    }
    return !was_dot;
}

/* Length of the well-formed non-ASCII character at index, or 0 (RFC 6531 section 3.3). */
static size_t wide_character_at(struct span text, size_t index, unsigned rules)
{
    if (!(rules & ADDRESS_ALLOW_UTF8) || text.bytes[index] < 0x80)
        return 0;
    return utf8_character_length(span_after(text, index));
}

/* One label, let-dig [ldh-str]: RFC 5321 section 4.1.2. */
static enum parse_result check_label(struct span label, unsigned rules)
{
    size_t characters = 0;
    if (label.length == 0 || label.bytes[0] == '-' || label.bytes[label.length - 1] == '-')
        return PARSE_MALFORMED;
    for (size_t i = 0; i < label.length; characters++) {
        const uint8_t byte = label.bytes[i];
        const size_t wide = wide_character_at(label, i, rules);
        if (!ascii_is_alnum(byte) && byte != '-' && byte != '_' && wide == 0)
            return PARSE_MALFORMED;
        i += wide ? wide : 1;
    }
    return characters > ADDRESS_LABEL_MAX_BYTES ? PARSE_TOO_LONG : PARSE_OK;
}

enum parse_result address_domain_check(struct span domain, unsigned rules)
{
    if (domain.length == 0)
        return PARSE_MALFORMED;
    if (domain.length > ADDRESS_DOMAIN_MAX_BYTES)
        return PARSE_TOO_LONG;
    bool has_more = true;
    for (struct span label; has_more;) {
        has_more = span_split_once(domain, '.', &label, &domain);
        const enum parse_result result = check_label(label, rules);
        if (result != PARSE_OK)
            return result;
    }
    return PARSE_OK;
}

bool address_literal_parse(struct span domain, struct ip_address *address)
{
    struct ip_address parsed;
    if (domain.length < 3 || domain.bytes[0] != '[' || domain.bytes[domain.length - 1] != ']')
        return false;
    const struct span inside = span_between(domain, 1, domain.length - 1);
    const struct span tag = SPAN("IPv6:");
    const bool is_ipv6 = span_starts_with_ascii_nocase(inside, tag);
    if (!ip_address_parse(is_ipv6 ? span_after(inside, tag.length) : inside, &parsed) ||
        is_ipv6 != (parsed.family == IP_FAMILY_6))
        return false;
    *address = parsed;
    return true;
}

/* What stands before the "@": how far it reaches and how it was written. */
struct local_part_scan {
    size_t end;          /* offset of the first byte after it */
    size_t meant_length; /* without quotes and backslashes */
    bool is_quoted;
    bool needs_quotes; /* as a value: not a dot-string */
    bool has_wide;
};

/* Dot-string; with loose dots, dots anywhere. */
static enum parse_result scan_dot_string(struct span text, unsigned rules,
                                         struct local_part_scan *scan)
{
    size_t i = 0;
    bool was_dot = true; /* a dot may not come first */
    while (i < text.length) {
        const size_t wide = wide_character_at(text, i, rules);
        if (text.bytes[i] == '.') {
            if (was_dot)
                scan->needs_quotes = true;
            was_dot = true;
            i++;
        } else if (is_atext(text.bytes[i]) || wide) {
            was_dot = false;
            scan->has_wide = scan->has_wide || wide > 0;
            i += wide ? wide : 1;
        } else {
            break;
        }
    }
    if (i == 0)
        return PARSE_MALFORMED;
    if (was_dot)
        scan->needs_quotes = true;
    if (scan->needs_quotes && !(rules & ADDRESS_ALLOW_LOOSE_DOTS))
        return PARSE_MALFORMED;
    scan->end = scan->meant_length = i;
    return PARSE_OK;
}

/* Quoted-string: any printable character, backslash before what would end it. */
static enum parse_result scan_quoted_string(struct span text, unsigned rules,
                                            struct local_part_scan *scan)
{
    bool was_dot = true;
    size_t i = 1;
    scan->is_quoted = true;
    while (i < text.length && text.bytes[i] != '"') {
        if (text.bytes[i] == '\\') {
            i++;
            if (i >= text.length || !ascii_is_print(text.bytes[i]))
                return PARSE_MALFORMED;
        }
        const uint8_t byte = text.bytes[i];
        const size_t wide = wide_character_at(text, i, rules);
        if (!ascii_is_print(byte) && wide == 0)
            return PARSE_MALFORMED;
        if (byte == '.' ? was_dot : !is_atext(byte) && wide == 0)
            scan->needs_quotes = true;
        was_dot = byte == '.';
        scan->has_wide = scan->has_wide || wide > 0;
        i += wide ? wide : 1;
        scan->meant_length += wide ? wide : 1;
    }
    if (i >= text.length)
        return PARSE_MALFORMED;
    if (was_dot)
        scan->needs_quotes = true; /* empty, or a dot at the end */
    scan->end = i + 1;
    return PARSE_OK;
}

static enum parse_result scan_local_part(struct span text, unsigned rules,
                                         struct local_part_scan *scan)
{
    *scan = (struct local_part_scan){.end = 0};
    const enum parse_result result = text.length && text.bytes[0] == '"'
                                         ? scan_quoted_string(text, rules, scan)
                                         : scan_dot_string(text, rules, scan);
    if (result != PARSE_OK)
        return result;
    const size_t limit = rules & ADDRESS_ALLOW_LONG_LOCAL_PART
                             ? ADDRESS_LOCAL_PART_LENIENT_MAX_BYTES
                             : ADDRESS_LOCAL_PART_MAX_BYTES;
    return scan->end > limit ? PARSE_TOO_LONG : PARSE_OK;
}

/* The end of the domain at the start of text: a literal up to its bracket, else up to the first
 * byte that no domain has. */
static size_t scan_domain(struct span text, unsigned rules)
{
    size_t i = 0;
    if (text.length && text.bytes[0] == '[') {
        const size_t bracket = span_find_byte(text, ']');
        return bracket < text.length ? bracket + 1 : 0;
    }
    while (i < text.length) {
        const uint8_t byte = text.bytes[i];
        const size_t wide = wide_character_at(text, i, rules);
        if (!ascii_is_alnum(byte) && byte != '-' && byte != '.' && byte != '_' && wide == 0)
            break;
        i += wide ? wide : 1;
    }
    return i;
}

static struct span unquote(struct span quoted, size_t meant_length, struct arena *arena)
{
    uint8_t *meant = arena_alloc(arena, meant_length);
    if (!meant)
        return span_of(NULL, 0);
    size_t length = 0;
    for (size_t i = 1; i + 1 < quoted.length; i++) {
        if (quoted.bytes[i] == '\\')
            i++;
        meant[length++] = quoted.bytes[i];
    }
    ASSERT(length == meant_length);
    return span_of(meant, length);
}

static bool set_plain_text(struct mailbox *mailbox, struct arena *arena)
{
    const struct span local_part = mailbox->local_part, domain = mailbox->domain;
    const size_t length = local_part.length + (domain.length ? domain.length + 1 : 0);
    uint8_t *text = length <= ADDRESS_MAX_BYTES ? arena_alloc(arena, length) : NULL;
    if (!text)
        return false;
    memcpy(text, local_part.bytes, local_part.length);
    if (domain.length) {
        text[local_part.length] = '@';
        memcpy(text + local_part.length + 1, domain.bytes, domain.length);
    }
    mailbox->text = span_of(text, length);
    return true;
}

static bool set_text(struct mailbox *mailbox, bool needs_quotes, struct arena *arena)
{
    struct buffer text;
    if (!needs_quotes && mailbox->local_part.length)
        return set_plain_text(mailbox, arena);
    buffer_init(&text, arena, ADDRESS_MAX_BYTES);
    if (needs_quotes)
        buffer_append_byte(&text, '"');
    for (size_t i = 0; i < mailbox->local_part.length; i++) {
        const uint8_t byte = mailbox->local_part.bytes[i];
        if (needs_quotes && (byte == '"' || byte == '\\'))
            buffer_append_byte(&text, '\\');
        buffer_append_byte(&text, byte);
    }
    if (needs_quotes)
        buffer_append_byte(&text, '"');
    if (mailbox->domain.length) {
        buffer_append_byte(&text, '@');
        buffer_append_span(&text, mailbox->domain);
    }
    mailbox->text = buffer_span(&text);
    return buffer_ok(&text);
}

/* A mailbox at the start of text; *consumed_bytes says how far it reaches. */
static enum parse_result take_mailbox(struct span text, unsigned rules, struct arena *arena,
                                      struct mailbox *mailbox, size_t *consumed_bytes)
{
    struct local_part_scan scan;
    struct mailbox parsed = {.is_address_literal = false};
    enum parse_result result = scan_local_part(text, rules, &scan);
    if (result != PARSE_OK)
        return result;
    const struct span written = span_first(text, scan.end);
    const struct span after = span_after(text, scan.end);
    size_t consumed = scan.end;
    bool is_as_written = !scan.is_quoted && !scan.needs_quotes;

    parsed.domain = span_empty();
    if (after.length && after.bytes[0] == '@') {
        const size_t domain_end = scan_domain(span_after(after, 1), rules);
        parsed.domain = span_first(span_after(after, 1), domain_end);
        consumed += 1 + domain_end;
        struct ip_address address;
        parsed.is_address_literal = address_literal_parse(parsed.domain, &address);
        if (!parsed.is_address_literal) {
            if (rules & ADDRESS_ALLOW_LOOSE_DOTS && parsed.domain.length > 1 &&
                parsed.domain.bytes[parsed.domain.length - 1] == '.') {
                parsed.domain.length--;
                parsed.has_final_dot = true;
                is_as_written = false;
            }
            result = address_domain_check(parsed.domain, rules);
            if (result != PARSE_OK)
                return result;
        }
    } else if (!(rules & ADDRESS_ALLOW_NO_DOMAIN)) {
        return PARSE_MALFORMED;
    }
    if (consumed > ADDRESS_MAILBOX_MAX_BYTES && !(rules & ADDRESS_ALLOW_LONG_LOCAL_PART))
        return PARSE_TOO_LONG;
    parsed.needs_smtputf8 = scan.has_wide || !ascii_is_all_ascii(parsed.domain);
    if (is_as_written) {
        parsed.local_part = written;
        parsed.text = span_first(text, consumed);
    } else {
        parsed.local_part = scan.is_quoted ? unquote(written, scan.meant_length, arena) : written;
        if (!parsed.local_part.bytes || !set_text(&parsed, scan.needs_quotes, arena))
            return PARSE_TOO_LONG;
    }
    *mailbox = parsed;
    *consumed_bytes = consumed;
    return PARSE_OK;
}

enum parse_result mailbox_parse(struct span text, unsigned rules, struct arena *arena,
                                struct mailbox *mailbox)
{
    struct mailbox parsed;
    size_t consumed;
    const enum parse_result result = take_mailbox(text, rules, arena, &parsed, &consumed);
    if (result != PARSE_OK)
        return result;
    if (consumed != text.length)
        return PARSE_MALFORMED;
    *mailbox = parsed;
    return PARSE_OK;
}

/* A-d-l ":" of RFC 5321 section 4.1.2: "@a,@b:". Its domains are checked and forgotten. */
static enum parse_result skip_source_route(struct span *text, unsigned rules)
{
    struct span rest = *text;
    while (rest.length && rest.bytes[0] == '@') {
        const struct span after = span_after(rest, 1);
        const size_t end = scan_domain(after, rules);
        const struct span domain = span_first(after, end);
        struct ip_address address;
        if (!address_literal_parse(domain, &address)) {
            const enum parse_result result = address_domain_check(domain, rules);
            if (result != PARSE_OK)
                return result;
        }
        rest = span_after(after, end);
        if (rest.length && rest.bytes[0] == ':') {
            *text = span_after(rest, 1);
            return PARSE_OK;
        }
        if (rest.length == 0 || rest.bytes[0] != ',')
            return PARSE_MALFORMED;
        rest = span_after(rest, 1);
    }
    return PARSE_MALFORMED;
}

enum parse_result path_parse(struct span text, enum path_kind kind, unsigned rules,
                             struct arena *arena, struct mailbox *mailbox, struct span *rest)
{
    struct mailbox parsed = {
        .local_part = span_empty(), .domain = span_empty(), .text = span_empty()};
    size_t consumed = 0;
    if (rules & ADDRESS_ALLOW_LEADING_SPACE)
        while (text.length && text.bytes[0] == ' ')
            text = span_after(text, 1);
    const bool has_bracket = text.length && text.bytes[0] == '<';
    if (!has_bracket && !(rules & ADDRESS_ALLOW_NO_BRACKETS))
        return PARSE_MALFORMED;
    if (has_bracket)
        text = span_after(text, 1);
    /* RFC 5321 section 4.1.1.3: <Postmaster>, in any case, needs no domain. */
    const struct span postmaster = SPAN("Postmaster>");
    if (has_bracket && kind == PATH_FORWARD && span_starts_with_ascii_nocase(text, postmaster))
        rules |= ADDRESS_ALLOW_NO_DOMAIN;

    if (has_bracket && text.length && text.bytes[0] == '>') {
        if (kind != PATH_REVERSE)
            return PARSE_MALFORMED;
    } else {
        enum parse_result result = PARSE_OK;
        if (text.length && text.bytes[0] == '@')
            result = skip_source_route(&text, rules);
        if (result == PARSE_OK)
            result = take_mailbox(text, rules, arena, &parsed, &consumed);
        if (result != PARSE_OK)
            return result;
    }
    text = span_after(text, consumed);
    if (has_bracket) {
        if (text.length == 0 || text.bytes[0] != '>')
            return PARSE_MALFORMED;
        text = span_after(text, 1);
    }
    if (text.length && text.bytes[0] != ' ')
        return PARSE_MALFORMED;
    *mailbox = parsed;
    *rest = span_trim_spaces(text);
    return PARSE_OK;
}

bool mailbox_set(struct mailbox *mailbox, struct span local_part, struct span domain,
                 struct arena *arena)
{
    struct mailbox made = {.local_part = local_part, .domain = domain};
    struct ip_address address;
    made.is_address_literal = address_literal_parse(domain, &address);
    if (domain.length && !made.is_address_literal &&
        address_domain_check(domain, ADDRESS_ALLOW_UTF8) != PARSE_OK)
        return false;
    if (local_part.length > ADDRESS_LOCAL_PART_LENIENT_MAX_BYTES || !utf8_is_valid(local_part))
        return false;
    bool needs_quotes = false;
    bool was_dot = true;
    for (size_t i = 0; i < local_part.length; i++) {
        const uint8_t byte = local_part.bytes[i];
        if (byte < 0x80 && !ascii_is_print(byte))
            return false;
        if (byte == '.' ? was_dot : byte < 0x80 && !is_atext(byte))
            needs_quotes = true;
        was_dot = byte == '.';
    }
    made.needs_smtputf8 = !ascii_is_all_ascii(local_part) || !ascii_is_all_ascii(domain);
    if (!set_text(&made, needs_quotes || was_dot, arena))
        return false;
    *mailbox = made;
    return true;
}

static struct span without_final_dot(struct span domain)
{
    if (domain.length && domain.bytes[domain.length - 1] == '.')
        domain.length--;
    return domain;
}

bool address_domain_equals(struct span left, struct span right)
{
    return span_equals_ascii_nocase(without_final_dot(left), without_final_dot(right));
}

bool mailbox_equals(const struct mailbox *left, const struct mailbox *right)
{
    if (!address_domain_equals(left->domain, right->domain))
        return false;
    return span_equals(left->local_part, right->local_part) ||
           (span_equals_ascii_nocase(left->local_part, SPAN("postmaster")) &&
            span_equals_ascii_nocase(right->local_part, SPAN("postmaster")));
}

bool address_domain_is_within(struct span domain, struct span parent)
{
    domain = without_final_dot(domain);
    parent = without_final_dot(parent);
    if (domain.length <= parent.length)
        return span_equals_ascii_nocase(domain, parent);
    return parent.length && span_ends_with_ascii_nocase(domain, parent) &&
           domain.bytes[domain.length - parent.length - 1] == '.';
}
